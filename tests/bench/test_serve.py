"""What `bench serve` asks is the same every time, and a small run gives every figure."""

import json
from pathlib import Path

import pytest

from casemate.bench.serve import TARGETS, Amount, measure_serve
from casemate.bench.serve_work import SCHEMA, alert_requests, make_alerts, prefix_requests, story_requests
from casemate.policy import Policy, Price


def test_the_work_is_the_same_every_time_and_shares_one_instruction():
    requests = alert_requests(200)
    assert requests == alert_requests(200)
    assert len({request.instruction for request in requests}) == 1
    assert len({request.evidence for request in requests}) > 190
    assert all(isinstance(json.loads(alert), dict) for alert in make_alerts(50))
    assert make_alerts(5, seed=1) != make_alerts(5, seed=2)
    kinds = SCHEMA["properties"]["kind"]["enum"]
    assert all(f"- {kind}:" in requests[0].instruction for kind in kinds)


def test_pairs_share_a_prefix_that_no_other_pair_has():
    pairs = [prefix_requests(number) for number in range(3)]
    assert all(first.instruction == second.instruction for first, second in pairs)
    assert all(first.evidence != second.evidence for first, second in pairs)
    assert len({first.instruction for first, _ in pairs}) == 3
    assert len({request.prompt for request in story_requests(20)}) == 20


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_small_run_gives_every_figure(embedded_model: Path):
    told: list[str] = []
    policy = Policy(prices=(Price("box", machine_hour=1.0),))
    results = measure_serve(embedded_model.parent, None, policy, Amount(4, 2, 1, 2), told.append)
    assert all(results[name] > 0 for name in TARGETS)
    assert results["replay_identical"] is True
    assert set(results["missed"]) <= set(TARGETS)
    assert results["cost"]["requests"] > 20
    assert results["cost"]["prices"]["box"][0] > 0
    assert len(told) == 5

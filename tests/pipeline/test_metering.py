"""What a model takes is counted in the store, and the policy's quota stops it with nothing lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from casemate.core.case import Case
from casemate.core.cost import Cost
from casemate.core.errors import EngineFailed, QuotaReached, RefusedByPolicy
from casemate.core.marking import Marking
from casemate.knowledge import Knowledge
from casemate.pipeline.metering import ASKED, UseOfDay, costs_by_task, meter, sum_costs
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.policy import Policy, Quota
from casemate.stages.extract.scanner import Scanner
from casemate.stages.generate import Completion, Request
from casemate.stages.generate.metered import Metered
from casemate.stages.generate.scripted import Scripted
from casemate.stages.ingest import find_sources
from casemate.store import Store

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ONE = Completion("{}", 100, 40, 20, engine_seconds=1.5, peak_bytes=5_000_000, joules=2.0)
ASK = Request("i", "e")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/casemate.sqlite", now=clock) as opened:
        yield opened


@pytest.fixture(scope="module")
def knowledge(knowledge_file: Path) -> Iterator[Knowledge]:
    with Knowledge.open(knowledge_file) as opened:
        yield opened


def tools(knowledge: Knowledge, model: Scripted | None, quota: Quota | None = None, **more: object) -> Tools:
    return Tools(Policy(quota=quota or Quota()), knowledge, Scanner(), model, **more)  # type: ignore[arg-type]


def metered(knowledge: Knowledge, store: Store, clock: Clock, quota: Quota, case: str = "C-1") -> Metered:
    model = Scripted([ONE] * 9)
    wrapped = meter(tools(knowledge, model, quota, clock=clock), store, case, "tester", "triage").model
    assert isinstance(wrapped, Metered)
    return wrapped


def test_every_request_is_counted_for_its_case_and_task(knowledge: Knowledge, store: Store, clock: Clock):
    model = metered(knowledge, store, clock, Quota())
    model.complete(ASK)
    assert list(model.complete_all([ASK, ASK])) == [ONE, ONE]
    costs = costs_by_task(store.history("C-1"))
    assert costs == {"triage": Cost(3, 300, 120, 60, 4.5, 5_000_000, 6.0)}
    assert sum_costs(store.history("C-2")) == Cost()
    assert store.verify_audit() == ()


def test_request_that_failed_took_its_time_too(knowledge: Knowledge, store: Store):
    model = meter(tools(knowledge, Scripted([EngineFailed("died")])), store, "C-1", "tester", "triage").model
    assert model is not None
    with pytest.raises(EngineFailed):
        model.complete(ASK)
    cost = sum_costs(store.history("C-1"))
    assert (cost.requests, cost.tokens) == (1, 0)


@pytest.mark.parametrize(
    ("quota", "named"),
    [
        (Quota(tokens_per_case=200), "240 of 200 tokens of this case"),
        (Quota(seconds_per_case=2.0), "3 of 2 seconds of this case"),
        (Quota(tokens_per_day=240), "240 of 240 tokens of this day"),
    ],
)
def test_the_request_that_crosses_a_limit_is_the_last(
    knowledge: Knowledge, store: Store, clock: Clock, quota: Quota, named: str
):
    model = metered(knowledge, store, clock, quota)
    answers = list(model.complete_all([ASK] * 4))
    assert answers[:2] == [ONE, ONE]
    assert [type(answer) for answer in answers[2:]] == [QuotaReached, QuotaReached]
    with pytest.raises(RefusedByPolicy, match=named) as caught:
        model.complete(ASK)
    assert "quota." in caught.value.way_out


def test_no_limit_is_no_limit(knowledge: Knowledge, store: Store, clock: Clock):
    model = metered(knowledge, store, clock, Quota(0, 0.0, 0))
    assert list(model.complete_all([ASK] * 9)) == [ONE] * 9


def test_the_day_is_counted_in_the_store_by_whoever_uses_it(
    knowledge: Knowledge, store: Store, clock: Clock, tmp_path: Path
):
    quota = Quota(tokens_per_day=300)
    mine = metered(knowledge, store, clock, quota, "C-1")
    mine.complete(ASK)
    with Store.open(f"sqlite:///{tmp_path}/casemate.sqlite", now=clock) as other:
        theirs = metered(knowledge, other, clock, quota, "C-2")
        theirs.complete(ASK)
        mine.complete(ASK)
        for model in (mine, theirs):
            with pytest.raises(QuotaReached, match="360 of 300"):
                model.complete(ASK)
    clock.now += timedelta(hours=2)
    mine.complete(ASK)
    assert UseOfDay(store, clock).cost().tokens == 120


def test_day_goes_back_over_many_other_events(store: Store, clock: Clock):
    from casemate.audit import NewAuditEvent

    for number in range(30):
        clock.now += timedelta(minutes=1)
        store.record(NewAuditEvent("a", "something.else", str(number)))
    since = clock.now - timedelta(minutes=9)
    assert [event.subject for event in store.events_since(since)] == [str(n) for n in range(29, 19, -1)]
    assert [event.number for event in store.events_since(since, 28)] == [30, 29]


def triaged(knowledge: Knowledge, store: Store, clock: Clock, model: Scripted, quota: Quota | None = None) -> Case:
    found = find_sources([str(EXAMPLES / "auth.log")])
    return triage(found, Order(Marking.GREEN, "tester"), tools(knowledge, model, quota, clock=clock), store).case


def test_triage_past_the_quota_gives_the_model_free_case_and_says_so(knowledge: Knowledge, store: Store, clock: Clock):
    plain = Scripted([replace(ONE, text='{"sentences": []}')])
    first = triaged(knowledge, store, clock, plain, Quota(tokens_per_day=100))
    assert len(plain.asked) == 1
    assert "quota-reached" not in {issue.code for issue in first.issues}
    other = Scripted([ONE], name="another model, so that the case is made anew")
    second = triaged(knowledge, store, clock, other, Quota(tokens_per_day=100, tokens_per_case=0))
    assert other.asked == []
    (said,) = (issue for issue in second.issues if issue.code == "quota-reached")
    assert "120 of 100 tokens of this day" in said.message
    assert "quota.tokens_per_day" in said.way_out
    assert second.findings == first.findings
    assert second.assessment.summary
    assert sum(event.action == ASKED for event in store.history(first.id)) == 1

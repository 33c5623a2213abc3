from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import numpy as np

from casemate.factory.disposition import learn_rule_scores, measure_cut, read_scenarios

LINES = "time,name,ip,host,short,time_label,event_label\n" + "".join(
    f"{1000 + at * 60},{rule},10.0.0.1,web,X,{label},-\n"
    for at, (rule, label) in enumerate(
        [("update", "false_positive")] * 6 + [("scan", "dirb")] * 2 + [("scan", "wpscan")]
    )
)


@pytest.fixture
def scenario(tmp_path: Path):
    (tmp_path / "one_alerts.csv").write_text(LINES, encoding="utf-8")
    return read_scenarios(tmp_path)[0]


def test_a_scenario_is_groups_with_phases(scenario):
    assert scenario.name == "one"
    assert Counter(scenario.phases) == {"false_positive": 6, "dirb": 2, "wpscan": 1}


def test_a_rule_of_attacks_scores_above_one_of_false_alerts(scenario):
    scores = learn_rule_scores([scenario])
    assert scores["scan"] > 0 > scores["update"]


def test_the_cut_keeps_the_recall_of_every_phase(scenario):
    good = np.array([1.0 if phase != "false_positive" else 0.0 for phase in scenario.phases])
    found = measure_cut([good], [scenario], by_group=True)
    assert found["false_below"] == 1.0
    assert found["macro_recall"] == 1.0
    blind = measure_cut([np.zeros(9)], [scenario], by_group=True)
    assert blind["false_below"] == 0.0

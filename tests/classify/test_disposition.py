"""The shipped specialist for alerts."""

import pytest

pytest.importorskip("numpy")

from casemate.stages.classify.alert_groups import Alert, AlertGroups
from casemate.stages.classify.disposition import DispositionSpecialist

QUIET = "Wazuh: ClamAV database update"
LOUD = (
    "Wazuh: Common web attack.",
    "Wazuh: Suspicious URL access.",
    "Wazuh: Multiple web server 400 error codes from same source ip.",
    "Wazuh: Apache: Attempt to access forbidden file or directory.",
    "Wazuh: Web server 400 error code.",
)


@pytest.fixture(scope="module")
def specialist() -> DispositionSpecialist:
    return DispositionSpecialist.open()


def groups_of(alerts):
    collected = AlertGroups()
    for alert in alerts:
        collected.see(alert)
    return collected.groups()


def test_a_scan_among_quiet_days_is_above_the_quiet_alerts(specialist):
    quiet = [Alert(hour * 3600.0, QUIET, "mail", "10.0.0.5") for hour in range(72)]
    loud = [Alert(200_000.0 + at * 3, LOUD[at % 5], "webserver", "172.16.0.9") for at in range(400)]
    groups = groups_of([*quiet, *loud])
    judged = specialist.judge(groups)
    loudly = [chance for group, chance in zip(groups, judged.probabilities, strict=True) if group.rule in LOUD]
    quietly = [chance for group, chance in zip(groups, judged.probabilities, strict=True) if group.rule == QUIET]
    assert judged.abstained == ""
    assert min(loudly) >= judged.cut
    assert sum(loudly) / len(loudly) > sum(quietly) / len(quietly)
    assert all(0 <= chance <= 1 for chance in judged.probabilities)


def test_too_little_is_not_judged(specialist):
    assert specialist.judge([]).abstained == "too-few-alerts"
    few = groups_of([Alert(place * 60.0, QUIET) for place in range(40)])
    assert specialist.judge(few).abstained == "too-short-a-time"


def test_rules_never_met_are_not_judged(specialist):
    alerts = [Alert(place * 600.0, f"Another vendor's rule {place}") for place in range(100)]
    judged = specialist.judge(groups_of(alerts))
    assert judged.abstained == "unknown-rules"
    assert judged.probabilities == ()
    assert judged.highest == 0.0

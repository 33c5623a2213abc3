import pytest

pytest.importorskip("numpy")

import numpy as np

from casemate.stages.classify.alert_groups import Alert, AlertGroups, feature_names, features_of_groups, rule_key


def groups_of(alerts):
    collected = AlertGroups()
    for alert in alerts:
        collected.see(alert)
    return collected.groups()


def test_alerts_of_a_minute_are_one_group():
    groups = groups_of([Alert(0, "scan", "web"), Alert(30, "scan", "web"), Alert(61, "scan", "web"), Alert(5, "other")])
    assert [(group.rule, group.count) for group in groups] == [("scan", 2), ("other", 1), ("scan", 1)]


def test_every_feature_has_a_name():
    groups = groups_of([Alert(place * 100.0, f"rule {place % 3}", "mail") for place in range(50)])
    rows = features_of_groups(groups, {"rule 0": 1.0}, 0.0)
    assert rows.shape == (len(groups), len(feature_names()))
    assert np.isfinite(rows).all()
    assert features_of_groups([], {}, 0.0).shape == (0, len(feature_names()))


def test_a_burst_stands_out_from_the_usual():
    usual = [Alert(hour * 3600.0, "update", "mail") for hour in range(48)]
    burst = [Alert(100_000.0 + minute * 60, f"scan {minute}", "web") for minute in range(5)]
    groups = groups_of([*usual, *burst])
    rows = features_of_groups(groups, {}, 0.0)
    column = feature_names().index("rules within 5 min")
    values = {group.rule: row[column] for group, row in zip(groups, rows, strict=True)}
    assert values["scan 2"] > values["update"]


def test_order_of_arrival_does_not_matter():
    alerts = [Alert(place * 47.0 % 5000, f"rule {place % 4}", f"host {place % 3}") for place in range(200)]
    one, other = groups_of(alerts), groups_of(alerts[::-1])
    scores = {"rule 1": 2.0}
    assert np.allclose(
        features_of_groups(one, scores, 0.0)[:, 1:], features_of_groups(other, scores, 0.0)[:, 1:], atol=0.05
    )


def test_a_rule_is_known_however_a_tool_writes_it():
    words = "First time this IDS alert is generated."
    assert {rule_key(rule) for rule in (words, f"Wazuh: {words}", f"20100 {words}")} == {words}
    assert rule_key("Suricata: Alert - ET SCAN Nmap") == "ET SCAN Nmap"

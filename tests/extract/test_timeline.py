"""The timeline groups, counts, and stays within its limit without losing an alert."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from casemate.core.event import Event
from casemate.core.observable import Sighting
from casemate.stages.extract.detections import Detections
from casemate.stages.extract.inventory import Inventory
from casemate.stages.extract.timeline import Timeline

START = datetime(2026, 11, 22, tzinfo=UTC)


def event(second: int, rule: str, *, alert: bool = False, severity: int = 0) -> Event:
    time = START + timedelta(seconds=second)
    return Event(0, second, second + 1, "test", time, rule, "", severity, is_alert=alert, techniques=("T1059",))


def test_the_same_thing_is_one_line_with_its_first_and_last():
    timeline = Timeline(10)
    for second in (5, 3, 9):
        timeline.see(event(second, "log-on"))
    (group,) = timeline.groups()
    assert (group.count, group.event.start, group.last.start) == (3, 3, 9)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=80), st.integers(1, 8))
def test_no_event_is_lost_from_the_count(steps: list[tuple[int, bool]], limit: int):
    timeline = Timeline(limit)
    for second, alert in steps:
        timeline.see(event(second, f"rule {second}", alert=alert))
    groups = timeline.groups()
    assert len(groups) <= limit
    assert sum(group.count for group in groups) + timeline.overflow == len(steps)


def test_an_alert_pushes_out_a_plain_record():
    timeline = Timeline(2)
    timeline.see(event(1, "plain a"))
    timeline.see(event(2, "plain b"))
    timeline.see(event(3, "alert", alert=True))
    assert any(group.event.is_alert for group in timeline.groups())
    assert timeline.overflow == 1


def test_detections_count_and_keep_the_worst_severity():
    detections = Detections(limit=2, cited=2)
    seen = [detections.see(event(second, "rule", alert=True, severity=second)) for second in (1, 4, 2)]
    assert seen == [(False, True), (True, True), (True, False)]
    (found,) = detections.found()
    assert (found.count, found.severity, len(found.records), found.techniques) == (3, 4, 2, {"T1059"})


def test_an_inventory_counts_what_it_has_no_room_for():
    inventory = Inventory(limit=1, places=2)
    one = Sighting("domain-name", "a.example", "a[.]example", 0, 11)
    inventory.see(0, [one, one, one, Sighting("domain-name", "b.example", "b.example", 20, 29)])
    (item,) = inventory.items()
    assert (item.count, len(item.records), inventory.overflow) == (3, 2, 1)

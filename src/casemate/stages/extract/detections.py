"""Alerts to detections: the alerts of one rule are one detection with a count."""

from dataclasses import dataclass, field
from datetime import datetime

from casemate.core.event import Event


@dataclass(slots=True)
class Detection:
    """The alerts that one rule raised: the first of them, how many, and the worst severity (OCSF `severity_id`).

    `records` are the (part, start, end) of the first few.
    """

    event: Event
    count: int = 0
    severity: int = 0
    first: datetime | None = None
    last: datetime | None = None
    techniques: set[str] = field(default_factory=set)
    records: list[tuple[int, int, int]] = field(default_factory=list)


class Detections:
    """Groups alerts by rule as they stream by; at most `limit` rules, `overflow` counts the alerts of later ones."""

    def __init__(self, limit: int, cited: int) -> None:
        self._limit = limit
        self._cited = cited
        self._rules: dict[tuple[str, str], Detection] = {}
        self.overflow = 0

    def see(self, event: Event) -> tuple[bool, bool]:
        """Count an alert; tells whether its rule was known (or there is no room), and whether it may be cited."""
        key = (event.kind, event.rule)
        found = self._rules.get(key)
        known = found is not None
        if found is None:
            if len(self._rules) >= self._limit:
                self.overflow += 1
                return True, False
            found = self._rules[key] = Detection(event)
        found.count += 1
        found.severity = max(found.severity, event.severity)
        found.techniques.update(event.techniques)
        if event.time is not None:
            found.first = min(found.first or event.time, event.time)
            found.last = max(found.last or event.time, event.time)
        kept = len(found.records) < self._cited
        if kept:
            found.records.append((event.part, event.start, event.end))
        return known, kept

    def found(self) -> tuple[Detection, ...]:
        """Give the detections in the order their rules were first seen."""
        return tuple(self._rules.values())

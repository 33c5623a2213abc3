"""When an observable was seen: from the events that name it, else from those around it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from casemate.core.case import Case
from casemate.core.observable import Observable


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """The first and the last time, aware UTC."""

    first: datetime
    last: datetime


def times_seen(case: Case) -> Callable[[Observable], Seen]:
    """Make a look-up of when an observable was seen.

    The best that is known counts: the events of the timeline with the value in one of their fields; else the span of
    time of the evidence it stands in; else when that evidence was received; else when the case was made.
    """
    by_value: dict[str, list[Seen]] = {}
    by_evidence: dict[str, list[Seen]] = {}
    for entry in case.timeline:
        window = Seen(entry.first, entry.last)
        by_evidence.setdefault(entry.span.evidence, []).append(window)
        for value in {value for _, value in entry.event.fields}:
            by_value.setdefault(value, []).append(window)
    values = {value: _joined(windows) for value, windows in by_value.items()}
    pieces = {id_: _joined(windows) for id_, windows in by_evidence.items()}
    received = {evidence.id: Seen(evidence.received, evidence.received) for evidence in case.evidence}

    def look_up(seen: Observable) -> Seen:
        if seen.value in values:
            return values[seen.value]
        own = {span.evidence for span in seen.spans}
        windows = [pieces[id_] for id_ in own if id_ in pieces] or [received[id_] for id_ in own if id_ in received]
        return _joined(windows) if windows else Seen(case.created, case.created)

    return look_up


def _joined(windows: Iterable[Seen]) -> Seen:
    held = list(windows)
    return Seen(min(window.first for window in held), max(window.last for window in held))

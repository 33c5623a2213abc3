"""The timeline as a drawing: one lane for each kind of event, measured in percent so that it fits any page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log10

from casemate.core.case import TimelineEntry

LANES = 8
LANE_HEIGHT = 44


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry in a lane: `x` and `width` in percent of the drawing, `radius` in pixels by the count of events."""

    x: float
    width: float
    radius: float
    severity: int
    is_alert: bool
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """Events of one kind; `y` in pixels from the top."""

    name: str
    y: int
    count: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis; `anchor` is SVG's text-anchor; a minor one is left out on small screens."""

    x: float
    words: str
    anchor: str
    minor: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole drawing; `height` in pixels."""

    height: int
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]


def chart_of(timeline: Sequence[TimelineEntry]) -> Chart | None:
    """Lay out a timeline; None when it is empty. Kinds beyond the eighth share a lane `other`."""
    if not timeline:
        return None
    first = min(entry.first for entry in timeline)
    last = max(entry.last for entry in timeline)
    kinds: dict[str, list[TimelineEntry]] = {}
    for entry in timeline:
        kinds.setdefault(entry.event.kind, []).append(entry)
    lanes: dict[str, list[TimelineEntry]] = {}
    for place, kind in enumerate(sorted(kinds, key=lambda kind: (-len(kinds[kind]), kind))):
        name = kind if place < LANES - 1 or len(kinds) == LANES else "other"
        lanes.setdefault(name, []).extend(kinds[kind])
    drawn = tuple(
        Lane(
            name,
            LANE_HEIGHT * place,
            sum(entry.count for entry in entries),
            tuple(_mark(entry, first, last) for entry in sorted(entries, key=_quiet_first)),
        )
        for place, (name, entries) in enumerate(lanes.items())
    )
    return Chart(LANE_HEIGHT * len(drawn) + 28, drawn, _ticks(first, last))


def _quiet_first(entry: TimelineEntry) -> tuple[int, datetime]:
    return entry.event.severity, entry.first


def _at(time: datetime, first: datetime, last: datetime) -> float:
    """Place a time between 1.5 and 98.5 percent, so that no mark is cut off."""
    whole = (last - first).total_seconds()
    return 50.0 if whole == 0 else round(1.5 + 97 * (time - first).total_seconds() / whole, 2)


def _mark(entry: TimelineEntry, first: datetime, last: datetime) -> Mark:
    begin, end = _at(entry.first, first, last), _at(entry.last, first, last)
    what = entry.event.rule or entry.event.message or entry.event.kind
    words = f"{entry.first:%Y-%m-%d %H:%M:%S} UTC, {entry.count}x {what[:160]}"
    radius = round(min(4 + 1.6 * log10(max(entry.count, 1)), 11), 1)
    return Mark(begin, round(end - begin, 2), radius, entry.event.severity, entry.event.is_alert, words)


def _ticks(first: datetime, last: datetime) -> tuple[Tick, ...]:
    if first == last:
        return (Tick(50, f"{first:%Y-%m-%d %H:%M:%S}", "middle", minor=False),)
    span = last - first
    form = "%H:%M:%S" if first.date() == last.date() else "%m-%d %H:%M" if span.days < 300 else "%Y-%m-%d"
    anchors = ("start", "middle", "middle", "middle", "end")
    return tuple(
        Tick((0, 25, 50, 75, 100)[step], f"{first + span * step / 4:{form}}", anchors[step], minor=step % 2 == 1)
        for step in range(5)
    )

"""What the records of a case carry: every value of every attribute, how often, and when first and last."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from casemate.core.digest import Digest
from casemate.core.event import Event
from casemate.core.text import Span


@dataclass(frozen=True, slots=True)
class Seen:
    """A value: how many records carry it, when the first and the last of them happened, and where these two stand."""

    value: str
    count: int
    first: datetime | None
    last: datetime | None
    first_span: Span
    last_span: Span


@dataclass(slots=True)
class _Tally:
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    first_span: Span | None = None
    last_span: Span | None = None

    def see(self, event: Event, span: Span) -> None:
        self.count += 1
        if self.first_span is None or (event.time and (self.first is None or event.time < self.first)):
            self.first, self.first_span = event.time or self.first, span
        if self.last_span is None or (event.time and (self.last is None or event.time >= self.last)):
            self.last, self.last_span = event.time or self.last, span


class Records:
    """The records of a case with their places, as reading them again gives them; `whole` says that none is missing."""

    def __init__(self, events: Iterable[tuple[Event, Digest]] = (), *, whole: bool = True) -> None:
        self._events: list[tuple[Event, Span]] = [
            (event, Span(evidence, event.start, event.end)) for event, evidence in events
        ]
        self.whole = whole

    def __len__(self) -> int:
        return len(self._events)

    def alerts(self) -> "Records":
        """Give the alerts among them."""
        return self._some(entry for entry in self._events if entry[0].is_alert)

    def naming(self, value: str) -> "Records":
        """Give the records that carry a value in any attribute."""
        wanted = value.casefold()
        return self._some(
            (event, span) for event, span in self._events if any(held.casefold() == wanted for _, held in event.fields)
        )

    def _some(self, events: Iterable[tuple[Event, Span]]) -> "Records":
        chosen = Records(whole=self.whole)
        chosen._events = list(events)
        return chosen

    def whole_span(self) -> Seen | None:
        """Tell how many records there are and when the first and last with a time happened."""
        return next(iter(_tally((("", event, span) for event, span in self._events if event.time))), None)

    def values(self, attributes: Sequence[str]) -> tuple[Seen, ...]:
        """Give the distinct values of some attributes, the commonest first; a record counts once for each."""
        wanted = frozenset(attributes)
        return _tally(
            (value, event, span)
            for event, span in self._events
            for value in dict.fromkeys(value for name, value in event.fields if name in wanted and value.strip())
        )

    def holds(self, value: str) -> bool:
        """Tell whether any record carries a value."""
        return len(self.naming(value)) > 0


def _tally(rows: Iterable[tuple[str, Event, Span]]) -> tuple[Seen, ...]:
    tallies: dict[str, _Tally] = {}
    for value, event, span in rows:
        tallies.setdefault(value, _Tally()).see(event, span)
    return tuple(sorted(_told(tallies), key=lambda one: (-one.count, one.value)))


def _told(tallies: dict[str, _Tally]) -> Iterator[Seen]:
    for value, tally in tallies.items():
        if tally.first_span is not None and tally.last_span is not None:
            yield Seen(value, tally.count, tally.first, tally.last, tally.first_span, tally.last_span)

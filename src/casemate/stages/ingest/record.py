"""Record: what one record of a log or alert says, before anybody knows where in the text it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from casemate.core.event import Event


@dataclass(frozen=True, slots=True)
class Record:
    """An `Event` without its place; every attribute means what it means there."""

    kind: str
    time: datetime | None
    rule: str
    message: str
    severity: int = 0
    is_alert: bool = False
    techniques: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()

    def at(self, part: int, start: int, end: int) -> Event:
        """Place the record at characters `start..end` of the normalised text of `part`."""
        return Event(
            part,
            start,
            end,
            self.kind,
            self.time,
            self.rule,
            self.message,
            self.severity,
            self.is_alert,
            self.techniques,
            self.fields,
        )


class Placed(NamedTuple):
    """A record and the characters of the text it was read from."""

    start: int
    end: int
    record: Record


ParseLine = Callable[[str, datetime], Record | None]
"""Read one line, without its end; None when it is not of the format. The time is *now*, for formats without a year."""


class LineParser(Protocol):
    """Reads the lines of one text in order; may keep what it needs of earlier ones."""

    def take(self, start: int, line: str) -> Sequence[Placed]:
        """Read the line that begins at character `start`; give the records that it completes."""
        ...

    def finish(self) -> Sequence[Placed]:
        """Give what is still open at the end of the text."""
        ...

"""Plain text, Markdown and everything else that is text: taken as it stands."""

from collections.abc import Iterator

from casemate.core.event import Event
from casemate.stages.ingest.lines import read_lines
from casemate.stages.ingest.reader import Head, Intake, Item, Reader


def _matches(head: Head) -> bool:
    return not head.binary


def _no_event(_line: str, _start: int, _number: int) -> Event | None:
    return None


def _read(intake: Intake) -> Iterator[Item]:
    intake.events = False  # plain text has none: the fast path
    yield from read_lines(intake, _no_event)


TEXT = Reader("text", _matches, _read)

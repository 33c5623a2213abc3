"""The logs that people read, a line or a few lines per event: how they are recognised and read in a stream."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from casemate.core.event import Event
from casemate.stages.ingest import auditd, cef, leef, syslog, web_access
from casemate.stages.ingest.csv_table import CsvTable
from casemate.stages.ingest.csv_table import matches as matches_csv
from casemate.stages.ingest.lines import read_lines
from casemate.stages.ingest.reader import Head, Intake, Item, Reader
from casemate.stages.ingest.record import LineParser, ParseLine, Placed, Record
from casemate.stages.ingest.zeek import ZeekTable, matches_table

PARSERS: dict[str, ParseLine] = {
    "cef": cef.parse_line,
    "leef": leef.parse_line,
    "auditd": auditd.parse_line,
    "web-access": web_access.parse_line,
    "web-error": web_access.parse_error,
    "syslog": syslog.parse_line,
}
"""The formats where a line can be read on its own, the more special first."""


def parse_any(line: str, now: datetime, first: str = "") -> Record | None:
    """Read a line as `first`, else as any format of `PARSERS`; None when it is none of them."""
    if first and (record := PARSERS[first](line, now)) is not None:
        return record
    for name, parse in PARSERS.items():
        if name != first and (record := parse(line, now)) is not None:
            return record
    return None


class EachLine:
    """The line parser of the formats where a line is a record; a line of another format is read as that."""

    def __init__(self, first: str, now: datetime) -> None:
        self._first = first
        self._now = now

    def take(self, start: int, line: str) -> Sequence[Placed]:
        """Read one line on its own."""
        record = parse_any(line, self._now, self._first)
        return () if record is None else (Placed(start, start + len(line), record),)

    def finish(self) -> Sequence[Placed]:
        """Give nothing: a line never stays open."""
        return ()


class SyslogFrames:
    """The line parser of syslog, where octet-counted messages may share a line."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def take(self, start: int, line: str) -> Sequence[Placed]:
        """Read the one message of a line, or each that its counts set apart."""
        if not line[:1].isdigit():
            return self._placed(start, line, 0, len(line))
        return [placed for begin, end in syslog.split_frames(line) for placed in self._placed(start, line, begin, end)]

    def finish(self) -> Sequence[Placed]:
        """Give nothing: a line never stays open."""
        return ()

    def _placed(self, start: int, line: str, begin: int, end: int) -> Sequence[Placed]:
        record = parse_any(line[begin:end], self._now, "syslog")
        return () if record is None else (Placed(start + begin, start + end, record),)


def read_log(intake: Intake, parser: LineParser) -> Iterator[Item]:
    """Yield the text of a log in chunks, and the events that its line parser makes of it."""
    ready: list[Placed] = []

    def take(line: str, start: int, _number: int) -> Event | None:
        if len(line) <= intake.limits.record_bytes:
            ready.extend(parser.take(start, line))
        return None

    for item in read_lines(intake, take):
        yield item
        yield from (placed.record.at(intake.part, placed.start, placed.end) for placed in ready)
        ready.clear()
    if intake.events:
        ready.extend(parser.finish())
    yield from (placed.record.at(intake.part, placed.start, placed.end) for placed in ready)


def _reader(
    name: str, matches: Callable[[Sequence[str]], bool], parser: Callable[[Head, datetime], LineParser]
) -> Reader:
    def _matches(head: Head) -> bool:
        return not head.binary and matches(head.lines)

    def _read(intake: Intake) -> Iterator[Item]:
        return read_log(intake, parser(intake.head, datetime.now(UTC)))

    return Reader(name, _matches, _read)


LOGS = (
    _reader("zeek", matches_table, lambda _head, _now: ZeekTable()),
    _reader("cef", cef.matches, lambda _head, now: EachLine("cef", now)),
    _reader("leef", leef.matches, lambda _head, now: EachLine("leef", now)),
    _reader("auditd", auditd.matches, lambda _head, _now: auditd.AuditLines()),
    _reader("web-access", web_access.matches, lambda _head, now: EachLine("web-access", now)),
    _reader("web-error", web_access.matches_error, lambda _head, now: EachLine("web-error", now)),
    _reader("syslog", syslog.matches, lambda _head, now: SyslogFrames(now)),
    _reader("csv", matches_csv, lambda head, _now: CsvTable.of(head)),
)
"""The readers of logs and tables, in the order in which they are asked."""

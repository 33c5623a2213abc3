"""Tables: comma, semicolon, tab or bar separated values with a header line (RFC 4180 and its dialects)."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from casemate.stages.ingest.columns import is_known, parse_columns
from casemate.stages.ingest.reader import Head
from casemate.stages.ingest.record import Placed

DELIMITERS = ",\t;|"
_NAME = re.compile(r"[A-Za-z_@#$][^\n\"']{0,63}")
_MAX_COLUMNS = 500
_ROW_CHARS = 1024 * 1024  # a row whose quotes never close is given up there
_ROW_LINES = 2000
_ROWS_SEEN = 10


def matches(lines: Sequence[str]) -> bool:
    """Tell whether the first lines are a table: a header of names, then rows of as many fields.

    Two known column names are enough; names we do not know need three columns, two rows and no odd row among them.
    """
    return find_delimiter(lines) != ""


def find_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter of a table with a header, empty when the lines are none."""
    if not lines:
        return ""
    for delimiter in DELIMITERS:
        header = _split(lines[0], delimiter)
        if not _is_header(header):
            continue
        rows = [_split(line, delimiter) for line in lines[1 : 1 + _ROWS_SEEN]]
        fitting = sum(len(row) == len(header) for row in rows)
        known = sum(map(is_known, header))
        if known >= 2 and (fitting or not rows) and 2 * fitting >= len(rows):
            return delimiter
        if known >= 1 and fitting >= 1 and (len(header) >= 3 or fitting == len(rows)):
            return delimiter
        if len(header) >= 3 and fitting >= 2 and fitting == len(rows):
            return delimiter
    return ""


def _is_header(names: Sequence[str]) -> bool:
    if not 2 <= len(names) <= _MAX_COLUMNS:
        return False
    plain = [name.strip() for name in names]
    if len(set(plain)) != len(plain):
        return False
    return all(_NAME.fullmatch(name) is not None and len(name.split()) <= 5 for name in plain)


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


@dataclass(slots=True)
class CsvTable:
    """Reads the rows of a table; a quoted field may hold line ends."""

    delimiter: str
    names: tuple[str, ...] = ()
    _held: list[str] = field(default_factory=list)
    _quotes: int = 0
    _size: int = 0
    _start: int = 0

    @classmethod
    def of(cls, head: Head) -> "CsvTable":
        """Make the reader of a part that begins with this head."""
        return cls(find_delimiter(head.lines) or ",")

    def take(self, start: int, line: str) -> Sequence[Placed]:
        """Read a line: a row, or a part of one whose quotes are still open."""
        if not self._held:
            self._start = start
        self._held.append(line)
        self._quotes += line.count('"')
        self._size += len(line)
        if self._quotes % 2 == 0:
            return self._row(start + len(line))
        if self._size > _ROW_CHARS or len(self._held) > _ROW_LINES:
            return self._give_up()
        return ()

    def finish(self) -> Sequence[Placed]:
        """Give the rows of an end whose quotes never close."""
        return self._give_up()

    def _row(self, end: int) -> Sequence[Placed]:
        text = "\n".join(self._held)
        self._held, self._quotes, self._size = [], 0, 0
        return self._read(text, self._start, end)

    def _give_up(self) -> Sequence[Placed]:
        """Read the held lines one by one: the quote that opened them was none."""
        held, start = self._held, self._start
        self._held, self._quotes, self._size = [], 0, 0
        found: list[Placed] = []
        for line in held:
            found.extend(self._read(line, start, start + len(line)))
            start += len(line) + 1
        return found

    def _read(self, text: str, start: int, end: int) -> Sequence[Placed]:
        try:
            row = next(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, skipinitialspace=True), [])
        except csv.Error:
            return ()
        if not self.names:
            self.names = tuple(name.strip().lstrip("\ufeff") for name in row[:_MAX_COLUMNS])
            return ()
        if len(row) < 2 or len(row) > len(self.names) or row == list(self.names):
            return ()
        record = parse_columns(dict(zip(self.names, row, strict=False)), "csv")
        return () if record is None else (Placed(start, end, record),)

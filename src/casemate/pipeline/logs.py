"""Read logs of any size into groups of lines, a timeline, and a number for every line that leads to its group."""

import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Self, cast

from casemate.core.digest import Digest
from casemate.core.evidence import Closed, Opened
from casemate.core.issue import Issue
from casemate.core.text import Chunk
from casemate.policy import Limits
from casemate.stages.extract.log_groups import Group, LineAt, LogGroups
from casemate.stages.extract.log_heads import split_line
from casemate.stages.ingest import Source, read
from casemate.stages.ingest.times import rfc3164_time, time_of

_BLOCK = 1 << 16  # line numbers written to the spool at a time
_STEPS = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
_BUCKETS = 5_000


class Clock:
    """Counts lines by time, in steps of a minute, then an hour, then a day as the log turns out to be longer."""

    def __init__(self) -> None:
        self._step = 0
        self._counts: Counter[datetime] = Counter()
        self.first: datetime | None = None
        self.last: datetime | None = None

    def see(self, time: datetime) -> None:
        """Count one line."""
        self.first = time if self.first is None else min(self.first, time)
        self.last = time if self.last is None else max(self.last, time)
        self._counts[_floor(time, _STEPS[self._step])] += 1
        if len(self._counts) > _BUCKETS and self._step + 1 < len(_STEPS):
            self._coarsen()

    def _coarsen(self) -> None:
        self._step += 1
        counts: Counter[datetime] = Counter()
        for time, count in self._counts.items():
            counts[_floor(time, _STEPS[self._step])] += count
        self._counts = counts

    def bars(self, most: int) -> tuple[tuple[datetime, int], ...]:
        """Give at most `most` stretches of equal length with their counts, in order of time; empty ones too."""
        if self.first is None or self.last is None:
            return ()
        step = _STEPS[self._step]
        begin, end = _floor(self.first, step), _floor(self.last, step)
        wide = max(-(-((end - begin) // step + 1) // most), 1) * step
        number = (end - begin) // wide + 1
        counts = [0] * number
        for time, count in self._counts.items():
            counts[(time - begin) // wide] += count
        return tuple((begin + index * wide, count) for index, count in enumerate(counts))


def _floor(time: datetime, step: timedelta) -> datetime:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return start + (time - start) // step * step


class LineNumbers:
    """For each line the number of its group, in a temporary file: four bytes a line, however many there are."""

    def __init__(self, spool_bytes: int) -> None:
        self._file = cast("BinaryIO", tempfile.SpooledTemporaryFile(spool_bytes))  # noqa: SIM115 - closed by `__exit__`
        self._held: array[int] = array("q")

    def add(self, line: int, number: int) -> None:
        """Keep the group of one line."""
        self._held.extend((line, number))
        if len(self._held) >= _BLOCK:
            self._flush()

    def _flush(self) -> None:
        self._file.write(self._held.tobytes())
        self._held = array("q")

    def __iter__(self) -> Iterator[tuple[int, int]]:
        self._flush()
        self._file.seek(0)
        while block := self._file.read(_BLOCK * 8):
            pairs = array("q", block)
            yield from zip(pairs[::2], pairs[1::2], strict=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@dataclass(slots=True)
class Logs:
    """What reading logs came to; `parts` are the names of the parts by number, `evidence` their digests once known."""

    groups: tuple[Group, ...] = ()
    places: "array[int]" = field(default_factory=lambda: array("l"))
    clock: Clock = field(default_factory=Clock)
    parts: dict[int, str] = field(default_factory=dict)
    evidence: dict[int, Digest] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    lines: int = 0
    overflow: int = 0


def read_logs(
    sources: Iterable[Source | Issue],
    limits: Limits,
    now: datetime,
    numbers: LineNumbers | None = None,
    progress: Callable[[str], None] = lambda _: None,
    see_chunk: Callable[[int, Chunk], None] = lambda _part, _chunk: None,
) -> Logs:
    """Read every line once; memory does not grow with the number of lines.

    `now` gives the year to times that have none. With `numbers` the group of each line can be told afterwards;
    `see_chunk` is shown each chunk and the number of its part over all sources.
    """
    logs = Logs()
    groups = LogGroups(limits.log_templates)
    base = 0  # the parts of each source are numbered from 0
    lines_of: Counter[int] = Counter()
    for source in sources:
        top = base
        for item in (source,) if isinstance(source, Issue) else read(source, limits, events=False):
            if isinstance(item, Chunk):
                see_chunk(base + item.part, item)
                _see_chunk(item, base, groups, logs, lines_of, now, numbers)
                progress(f"{logs.lines:,} lines read")
            elif isinstance(item, Opened):
                logs.parts[base + item.part] = item.source
                top = max(top, base + item.part + 1)
            elif isinstance(item, Closed):
                logs.evidence[base + item.part] = item.id
            elif isinstance(item, Issue):
                logs.issues.append(item)
        base = top
    logs.groups, logs.places = groups.joined()
    logs.overflow = groups.overflow
    return logs


def _see_chunk(
    chunk: Chunk,
    base: int,
    groups: LogGroups,
    logs: Logs,
    lines_of: Counter[int],
    now: datetime,
    numbers: LineNumbers | None,
) -> None:
    part = base + chunk.part
    at = 0
    for line in chunk.text.split("\n"):
        start, at = at, at + len(line) + 1
        if start >= len(chunk.text):
            break  # what follows the last line end
        logs.lines += 1
        lines_of[part] += 1
        if not line.strip():
            continue
        split = split_line(line)
        where = LineAt(logs.lines, part, lines_of[part], chunk.start + start, chunk.start + start + len(line))
        number = groups.see(split.message, split.program, where, split.lead)
        if numbers is not None:
            numbers.add(logs.lines, number)
        time = read_time(split.time, now) if split.time else None
        if time is not None:
            logs.clock.see(time)


def read_time(text: str, now: datetime) -> datetime | None:
    """Read a time stamp as logs write them; None when it is none we can place."""
    return time_of(text.replace(",", ".", 1)) or rfc3164_time(text, now)

"""The frame: opens a part, chooses its reader, counts, and closes it; parts inside parts, depth first."""

from collections import Counter
from collections.abc import Callable, Iterator

from casemate.core.evidence import Closed, Opened
from casemate.core.issue import Issue, Severity
from casemate.core.text import Chunk
from casemate.policy.limits import Limits
from casemate.stages.ingest.reader import Intake, Item, Member
from casemate.stages.ingest.readers import READERS
from casemate.stages.ingest.recognise import HEAD_BYTES, look, recognise
from casemate.stages.ingest.source import Source
from casemate.stages.ingest.stream import Damage, Readable, Stream

SAME_ISSUES = 20  # of one code about one part; the rest is counted
SAME_ISSUES_BELOW = 200  # of one code about everything inside a part
NAME_CHARS = 1024  # of a member's name


def read(source: Source, limits: Limits | None = None, *, events: bool = True) -> Iterator[Item]:
    """Read a source and everything inside it as a flat stream of items.

    For each part: `Opened`, then its chunks in order, the events after the chunk that holds them and the issues, then
    `Closed`. The parts found inside a part (members, attachments) come before it is closed, each complete. A source
    that cannot be opened gives one `Issue` and no part. Never raises for what the data holds.
    """
    limits = limits or Limits()
    try:
        opened = source.open()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        way_out = "check the path and that you may read it"
        yield Issue("unreadable", Severity.ERROR, reason, source.name, "", way_out)
        return
    with opened as raw:
        yield from _Reading(limits, events=events).part(raw, source.name)


class _Reading:
    """One source being read: the number of the next part and what has come out of compression so far."""

    def __init__(self, limits: Limits, *, events: bool) -> None:
        self._limits = limits
        self._events = events
        self._parts = 0
        self._unpacked = 0

    def part(self, raw: Readable, name: str, parent: Intake | None = None, *, packed: bool = False) -> Iterator[Item]:
        """Read one part from its first byte to its last."""
        number = self._parts
        self._parts += 1
        stream = Stream(raw, name, self._gauge(parent, packed=packed))
        head = look(stream.peek(HEAD_BYTES), name)
        reader = recognise(head, READERS)
        depth = 0 if parent is None else parent.depth + 1
        intake = Intake(stream, number, name, self._limits, self._events, head, depth, self._hand_on)
        above = None if parent is None else parent.part
        yield Opened(number, above, name, reader.name if head.data else "empty")
        tally = _Tally(number, name)
        if head.data:
            yield from tally.count(reader.read(intake))
        elif stream.problem is None:
            yield intake.issue("empty", "there is nothing in it", severity=Severity.NOTE)
        stream.drain()
        if stream.problem is not None:
            intake.complete = False
            yield stream.problem
        if parent is not None and not intake.complete:
            parent.complete = False
        yield from tally.left_out()
        yield Closed(number, stream.digest, stream.size, tally.length, tally.lines, intake.complete)

    def _hand_on(self, parent: Intake, member: Member) -> Iterator[Item]:
        return self.part(member.stream, f"{parent.source}!{member.name[:NAME_CHARS]}", parent, packed=member.packed)

    def _gauge(self, parent: Intake | None, *, packed: bool) -> Callable[[int], None]:
        """Make the function that is told of every byte of a part and stops it when there are too many."""
        limits = self._limits
        size = 0

        def gauge(count: int) -> None:
            nonlocal size
            size += count
            if size > limits.source_bytes:
                raise Damage(
                    "source-bytes",
                    f"more than {limits.source_bytes} bytes; the rest was left out",
                    way_out="split it or raise limits.source_bytes in the policy",
                )
            if not packed or parent is None:
                return
            self._unpacked += count
            parent.unpacked += count
            if self._unpacked > limits.unpacked_bytes:
                raise Damage(
                    "unpacked-bytes",
                    f"more than {limits.unpacked_bytes} bytes came out of compression; the rest was left out",
                    way_out="raise limits.unpacked_bytes in the policy",
                )
            floor, ratio = limits.unpack_ratio_floor, limits.unpack_ratio
            if parent.unpacked > max(floor, ratio * parent.stream.size):
                raise Damage(
                    "unpack-ratio",
                    f"more than {ratio} times as many bytes came out as went in; the rest was left out",
                    way_out="it looks like a decompression bomb; raise limits.unpack_ratio in the policy if not",
                )

        return gauge


class _Tally:
    """Measures the text of one part as it passes, and keeps one kind of issue from flooding the case."""

    def __init__(self, part: int, source: str) -> None:
        self.length = 0
        self._feeds = 0
        self._ended = True
        self._part = part
        self._source = source
        self._issues: Counter[tuple[str, bool]] = Counter()

    @property
    def lines(self) -> int:
        """The lines of the normalised text, one without an end counted too."""
        return self._feeds + (not self._ended)

    def count(self, items: Iterator[Item]) -> Iterator[Item]:
        """Pass items on, all but the issues of a kind that has come too often."""
        for item in items:
            if isinstance(item, Chunk) and item.part == self._part:
                self.length += len(item.text)
                self._feeds += item.text.count("\n")
                self._ended = item.text.endswith("\n")
            elif isinstance(item, Issue):
                own = item.source == self._source
                self._issues[item.code, own] += 1
                if self._issues[item.code, own] > (SAME_ISSUES if own else SAME_ISSUES_BELOW):
                    continue
            yield item

    def left_out(self) -> Iterator[Issue]:
        """Say how many issues were not passed on."""
        for (code, own), times in self._issues.items():
            most = SAME_ISSUES if own else SAME_ISSUES_BELOW
            if times > most:
                message = f"{times - most} more of {code} in this input"
                yield Issue("more-issues", Severity.NOTE, message, self._source)

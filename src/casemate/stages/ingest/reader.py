"""What a format reader is, what it is given and what it yields.

A reader is one file in this room and one line in `READERS` (`readers.py`). The frame (`reading.py`) opens the part,
looks at its first bytes, chooses the reader, counts and hashes what is read, and closes the part; the reader yields
`Chunk`s of normalised text in order, `Event`s after the chunk that holds their last character, and `Issue`s.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from casemate.core.event import Event
from casemate.core.evidence import Closed, Opened
from casemate.core.issue import Issue, Severity
from casemate.core.text import Chunk
from casemate.policy.limits import Limits
from casemate.stages.ingest.stream import Readable, Stream

Item = Opened | Chunk | Event | Issue | Closed
"""What reading a source yields: for each part `Opened`, then the rest in any order, then `Closed`."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a part, by which its format is recognised.

    `data` is at most the first 64 KiB as received; `text` the same decoded leniently in `encoding` after any byte
    order mark; `lines` its first lines, stripped, without the empty ones (the last may be cut short); `whole` whether
    `data` is all there is. `binary` is true when the bytes do not look like text in any encoding we know. `name` is
    the name as received: hostile, and never what decides the format.
    """

    data: bytes
    text: str
    encoding: str
    bom: int
    name: str
    lines: tuple[str, ...]
    binary: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Member:
    """Something found inside a part: its name as received, its bytes, and whether they came out of compression."""

    name: str
    stream: Readable
    packed: bool = False


@dataclass(slots=True)
class Intake:
    """What a reader gets: the bytes of one part, and all it may know about where they came from.

    `stream` gives the bytes from the first one on. `events` false means that nobody wants events: yield chunks only.
    `complete` is set false by a reader that gave up before the end.
    """

    stream: Stream
    part: int
    source: str
    limits: Limits
    events: bool
    head: Head
    depth: int
    hand_on: "Callable[[Intake, Member], Iterator[Item]]"
    complete: bool = True
    members: int = field(default=0)
    unpacked: int = field(default=0)

    @property
    def encoding(self) -> str:
        """The encoding of the text, as the first bytes tell it."""
        return self.head.encoding

    def issue(
        self, code: str, message: str, *, severity: Severity = Severity.WARNING, place: str = "", way_out: str = ""
    ) -> Issue:
        """Make an issue about this part."""
        return Issue(code, severity, message, self.source, place, way_out)

    def children(self, members: Iterable[Member | Issue]) -> Iterator[Item]:
        """Read each member as a part of its own, depth first, under the limits; issues are passed on.

        A member's stream is read to its end before the next member is asked for.
        """
        for member in members:
            if isinstance(member, Issue):
                yield member
                continue
            if self.depth >= self.limits.unpack_depth:
                self.complete = False
                message = f"more than {self.limits.unpack_depth} containers inside each other; not unpacked further"
                yield self.issue("unpack-depth", message, way_out="raise limits.unpack_depth in the policy")
                return
            self.members += 1
            if self.members > self.limits.archive_members:
                self.complete = False
                message = f"more than {self.limits.archive_members} members; the rest was left out"
                yield self.issue("archive-members", message, way_out="raise limits.archive_members in the policy")
                return
            yield from self.hand_on(self, member)


@dataclass(frozen=True, slots=True)
class Reader:
    """One format: its name, how it is recognised, and how it is read.

    `read` never raises for what the data holds: it yields an `Issue` and goes on or stops.
    """

    name: str
    matches: Callable[[Head], bool]
    read: Callable[[Intake], Iterator[Item]]

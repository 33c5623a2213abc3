"""What the tests of the readers share: read bytes, gather what belongs to each part, and check every span."""

import gzip
import io
import tarfile
import zipfile
from dataclasses import dataclass, field
from functools import partial

from casemate.core.digest import digest_bytes
from casemate.core.event import Event
from casemate.core.evidence import Closed, Opened
from casemate.core.issue import Issue
from casemate.core.text import Chunk
from casemate.policy.limits import Limits
from casemate.stages.ingest import Source, read

NARROW = Limits(chunk_chars=64, unpack_ratio_floor=64 * 1024, spool_bytes=1024, pdf_seconds=20)


@dataclass
class Part:
    opened: Opened
    closed: Closed | None = None
    chunks: list[Chunk] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.chunks)


@dataclass
class Reading:
    parts: dict[int, Part]
    issues: list[Issue]

    @property
    def codes(self) -> set[str]:
        return {issue.code for issue in self.issues}

    def named(self, source: str) -> Part:
        return next(part for part in self.parts.values() if part.opened.source == source)


def read_bytes(data: bytes, limits: Limits | None = None, *, name: str = "x", events: bool = True) -> Reading:
    """Read bytes as a source and check what holds for every reading."""
    parts: dict[int, Part] = {}
    issues: list[Issue] = []
    open_parts: list[int] = []
    for item in read(Source(name, partial(io.BytesIO, data)), limits, events=events):
        if isinstance(item, Opened):
            assert item.part == len(parts)
            assert item.parent == (open_parts[-1] if open_parts else None)
            parts[item.part] = Part(item)
            open_parts.append(item.part)
        elif isinstance(item, Closed):
            assert open_parts.pop() == item.part
            parts[item.part].closed = item
        elif isinstance(item, Chunk):
            assert item.part == open_parts[-1]
            parts[item.part].chunks.append(item)
        elif isinstance(item, Event):
            parts[item.part].events.append(item)
            assert item.end <= len(parts[item.part].text), "an event comes after the chunk that holds it"
        else:
            assert item.code
            assert item.message
            issues.append(item)
    assert not open_parts
    for part in parts.values():
        check_measures(part)
    if parts and parts[0].closed and parts[0].closed.complete:
        assert parts[0].closed.size == len(data)
        assert parts[0].closed.id == digest_bytes(data)
    return Reading(parts, issues)


def check_measures(part: Part) -> None:
    assert part.closed is not None
    offset = 0
    for chunk in part.chunks:
        assert chunk.start == offset
        for piece in chunk.pieces:
            assert piece.start == offset
            assert piece.length > 0
            assert piece.line >= 1
            assert 0 <= piece.byte <= piece.byte + piece.size <= part.closed.size
            offset += piece.length
        assert offset == chunk.start + len(chunk.text)
    assert part.closed.length == offset
    assert part.closed.lines == len(part.text.split("\n")) - (part.text.endswith("\n") or not part.text)


def check_verbatim(part: Part, data: bytes) -> None:
    """Check that every verbatim piece is the decoding of its bytes, and stands on its line."""
    for chunk in part.chunks:
        for piece in chunk.pieces:
            if piece.verbatim:
                begin = piece.start - chunk.start
                shown = chunk.text[begin : begin + piece.length]
                assert data[piece.byte : piece.byte + piece.size].decode(piece.encoding) == shown


def make_zip(members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6)), data, method)
    return out.getvalue()


def make_tar(members: dict[str, bytes], *, kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def make_gzip(data: bytes, name: str = "") -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=out, mtime=0) as packed:
        packed.write(data)
    return out.getvalue()

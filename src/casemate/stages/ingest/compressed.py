"""gzip, bzip2, xz and zstd: one stream in, one part out, as far as the data is sound.

RFC 1952 (gzip), RFC 8878 (zstd), the .xz file format 1.1, and bzip2. Members or frames that follow each other are one
part, as their own tools have it.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from casemate.core.issue import Issue, Severity
from casemate.stages.ingest.reader import Head, Intake, Item, Member, Reader
from casemate.stages.ingest.stream import Damage, Readable

STEP_BYTES = 32768  # decompressed at a time: what a damaged stream may lose at most
INPUT_BYTES = 65536
ZSTD_INPUT_BYTES = 1024  # a block of 4 bytes may give 128 KiB: keeps one step under 32 MiB
LZMA_MEMORY = 128 * 1024 * 1024  # `xz -9` needs 65 MiB
UNPACK_AGAIN = "get the file again, or unpack it with another tool and give what comes out"


class Decompressor(Protocol):
    """What one member or frame is decompressed with."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given and stands after the end."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more input."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take compressed bytes and give at most `max_length` others; raises one of `FAULTS`."""
        ...


class Deflated:
    """A zlib decompressor that gives up nothing: at a fault, what came before it is still handed out.

    `window` is zlib's `wbits`: 31 for gzip, -15 for the bare deflate of zip (RFC 1951).
    """

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)
        self._fault: zlib.error | None = None
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What was given and stands after the end."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take compressed bytes and give at most `max_length` others."""
        if self._fault is not None:
            raise self._fault
        given = self._inner.unconsumed_tail + data
        before = self._inner.copy()
        try:
            out = self._inner.decompress(given, max_length)
        except zlib.error as fault:
            self._fault = fault
            self.needs_input = False
            out = _salvage(before, given, max_length)
            if not out:
                raise
            return out
        self.needs_input = not self._inner.unconsumed_tail and len(out) < max_length
        return out


def _salvage(inner: "zlib._Decompress", given: bytes, most: int) -> bytes:
    """Decompress again byte by byte, up to the one at which the fault shows."""
    out = bytearray()
    for at in range(len(given)):
        try:
            out += inner.decompress(given[at : at + 1], most - len(out))
        except zlib.error:
            break
        if len(out) >= most:
            break
    return bytes(out)


class Unzstd:
    """A zstd decompressor of one frame."""

    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor().decompressobj()
        self._fault = zstandard.ZstdError
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What was given and stands after the end."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take compressed bytes and give what they hold, which may be more than `max_length`."""
        del max_length
        try:
            return self._inner.decompress(data)
        except self._fault as fault:
            raise ValueError(str(fault)) from fault


FAULTS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, MemoryError)


class Inflating:
    """The bytes that come out of a compressed stream, member after member; a `Readable`.

    `rest` is how many bytes stood after the last member, apart from zeros.
    """

    def __init__(
        self, packed: Readable, make: Callable[[], Decompressor], name: str, *, magic: bytes = b"", step: int
    ) -> None:
        self.rest = 0
        self._packed = packed
        self._make = make
        self._name = name
        self._magic = magic
        self._step = step
        self._member: Decompressor | None = None
        self._given = b""
        self._out = b""
        self._done = False

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end; raises `Damage` when the data is broken or cut short."""
        while not self._out and not self._done:
            self._out = self._advance()
        taken, self._out = self._out[:size], self._out[size:]
        return taken

    def _advance(self) -> bytes:
        if not self._given and (self._member is None or self._member.needs_input):
            self._given = self._packed.read(self._step)
            if not self._given:
                if self._member is not None:
                    raise Damage(f"{self._name}-truncated", f"the {self._name} data is cut short", way_out=UNPACK_AGAIN)
                self._done = True
                return b""
        if self._member is None and not self._begin():
            return b""
        assert self._member is not None
        given, self._given = self._given, b""
        try:
            out = self._member.decompress(given, STEP_BYTES)
        except FAULTS as fault:
            message = f"the {self._name} data is damaged: {fault}"
            raise Damage(f"{self._name}-damaged", message, way_out=UNPACK_AGAIN) from fault
        if self._member.eof:
            self._given = self._member.unused_data
            self._member = None
            self._done = not self._magic
        return out

    def _begin(self) -> bool:
        self._given = self._given.lstrip(b"\0")  # padding, as tapes and xz have it
        if not self._given:
            return False
        if len(self._given) < len(self._magic):
            self._given += self._packed.read(self._step)
        if not self._given.startswith(self._magic):
            self.rest = len(self._given)
            self._done = True
            return False
        self._member = self._make()
        return True


def _reader(name: str, magic: bytes, make: Callable[[], Decompressor], suffix: str, step: int) -> Reader:
    def matches(head: Head) -> bool:
        return head.data.startswith(magic) and len(head.data) > len(magic)

    def read(intake: Intake) -> Iterator[Item]:
        inflating = Inflating(intake.stream, make, name, magic=magic, step=step)
        inner = gzip_name(intake.head.data) if name == "gzip" else ""
        yield from intake.children([Member(inner or _stem(intake.source, suffix), inflating, packed=True)])
        if inflating.rest:
            intake.complete = False
            yield _rest_issue(intake, name)

    return Reader(name, matches, read)


def _rest_issue(intake: Intake, name: str) -> Issue:
    message = f"other bytes follow the {name} data and were left out"
    return intake.issue(f"{name}-trailing", message, severity=Severity.WARNING, way_out="cut the file there")


def _stem(source: str, suffix: str) -> str:
    last = source.rsplit("!", 1)[-1].replace("\\", "/").rsplit("/", 1)[-1]
    low = last.lower()
    for short, long in ((".tgz", ".tar"), (".txz", ".tar"), (".tzst", ".tar"), (".tbz2", ".tar")):
        if low.endswith(short):
            return last[: -len(short)] + long
    return last[: -len(suffix)] if low.endswith(suffix) and len(last) > len(suffix) else "data"


def gzip_name(head: bytes) -> str:
    """Return the file name in a gzip header (RFC 1952 section 2.3), empty when there is none; hostile text."""
    if len(head) < 10 or not head[3] & 8:
        return ""
    at = 10
    if head[3] & 4:
        at += 2 + int.from_bytes(head[10:12], "little")
    end = head.find(b"\0", at, at + 1024)
    return head[at:end].decode("latin-1") if end > at else ""


GZIP = _reader("gzip", b"\x1f\x8b\x08", lambda: Deflated(31), ".gz", INPUT_BYTES)
XZ = _reader("xz", b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=LZMA_MEMORY), ".xz", INPUT_BYTES)
BZIP2 = _reader("bzip2", b"BZh", bz2.BZ2Decompressor, ".bz2", INPUT_BYTES)
ZSTD = _reader("zstd", b"\x28\xb5\x2f\xfd", Unzstd, ".zst", ZSTD_INPUT_BYTES)

"""Streams that count, hash and never raise: damage in the data is an early end and an `Issue`."""

import hashlib
import tempfile
from collections.abc import Callable
from typing import IO, Protocol

from casemate.core.digest import Digest
from casemate.core.issue import Issue, Severity

BLOCK_BYTES = 1024 * 1024


class Readable(Protocol):
    """Anything bytes can be read from; fewer than `size` bytes may come, none only at the end."""

    def read(self, size: int, /) -> bytes:
        """Return 1 to `size` bytes, or none at the end; raises `Damage` or `OSError`."""
        ...


class Damage(Exception):
    """Raised by a `Readable` whose data is broken or over a limit; `Stream` turns it into an `Issue`.

    It never leaves this room.
    """

    def __init__(self, code: str, message: str, *, way_out: str = "", severity: Severity = Severity.WARNING) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.way_out = way_out
        self.severity = severity


def no_gauge(_count: int) -> None:
    """Allow any number of bytes."""


class Stream:
    """The received bytes of one part: counted, hashed, and read to the end only once.

    `size` counts the bytes taken so far and `problem` says why the stream ended before its end, None when it did not.
    `gauge` is told how many bytes came each time and raises `Damage` when they are too many.
    """

    def __init__(self, raw: Readable, source: str, gauge: Callable[[int], None] = no_gauge) -> None:
        self.source = source
        self.size = 0
        self.problem: Issue | None = None
        self._raw = raw
        self._gauge = gauge
        self._hash = hashlib.sha256()
        self._ahead = b""
        self._ended = False

    @property
    def digest(self) -> Digest:
        """The SHA-256 of the bytes taken so far."""
        return Digest(self._hash.hexdigest())

    def read(self, size: int = -1, /) -> bytes:
        """Return exactly `size` bytes, fewer only at the end; all that is left when `size` is negative."""
        if self._ahead:
            taken = self._ahead if size < 0 else self._ahead[:size]
            self._ahead = self._ahead[len(taken) :]
        else:
            taken = b""
        missing = size - len(taken)
        if size >= 0 and missing <= 0:
            return taken
        blocks = [taken] if taken else []
        while size < 0 or missing > 0:
            block = self._fill(BLOCK_BYTES if size < 0 else missing)
            if not block:
                break
            blocks.append(block)
            missing -= len(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end, and leave them to be read."""
        if len(self._ahead) < size:
            self._ahead = self.read(size)
        return self._ahead[:size]

    def drain(self) -> None:
        """Take what is left, so that the digest is that of the whole part."""
        self._ahead = b""
        while self._fill(BLOCK_BYTES):
            pass

    def spool(self, memory: int) -> IO[bytes]:
        """Take what is left into a file that can be sought in; up to `memory` bytes of it stay in memory.

        The caller closes it; it has no name that another program could open.
        """
        spooled = tempfile.SpooledTemporaryFile(max_size=memory)  # noqa: SIM115 - handed to the caller, who closes it
        while block := self.read(BLOCK_BYTES):
            spooled.write(block)
        spooled.seek(0)
        return spooled

    def _fill(self, size: int) -> bytes:
        if self._ended:
            return b""
        try:
            block = self._raw.read(size)
            self._hash.update(block)
            self.size += len(block)
            self._gauge(len(block))
        except Damage as damage:
            self._end(damage.code, damage.severity, damage.message, damage.way_out)
            return b""
        except OSError as error:
            self._end("unreadable", Severity.ERROR, f"reading stopped: {error.strerror or error}", "check the device")
            return b""
        self._ended = not block
        return block

    def _end(self, code: str, severity: Severity, message: str, way_out: str) -> None:
        self._ended = True
        self.problem = Issue(code, severity, message, self.source, f"byte {self.size}", way_out)

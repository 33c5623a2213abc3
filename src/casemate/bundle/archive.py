"""The one file of a bundle: a tar file with nothing left to chance, under zstd.

Only what `write_member` writes is read: a member's header must be, byte for byte, the one header that its name and size
give. Links, devices, owners, times, long names and extensions cannot be said at all. `tar --zstd -x` opens it.
"""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import zstandard

from casemate.bundle.manifest import BundleRefused, is_file_name
from casemate.core.errors import WrongUsage
from casemate.core.plain import plain

BLOCK = 512
COPY_BYTES = 1024 * 1024
_WINDOW_BYTES = 8 * 1024 * 1024  # what unpacking may keep in memory
_LEVEL = 3  # weights hardly shrink; a higher level costs minutes and gains nothing
_ODD = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a folder",
    b"6": "a pipe",
}


def header_of(name: str, size: int) -> bytes:
    """Make the header of a member: owner, group and time zero, mode 0644, GNU form."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


class ArchiveWriter:
    """Writes members one after the other; the same members give the same bytes (with the same zstd library)."""

    def __init__(self, out: BinaryIO) -> None:
        self._stream = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(out, closefd=False)

    def add(self, name: str, size: int, source: BinaryIO) -> None:
        """Add a member of `size` bytes read from `source`; `WrongUsage` when it gives more or fewer."""
        self._stream.write(header_of(name, size))
        done = 0
        while block := source.read(COPY_BYTES):
            done += len(block)
            self._stream.write(block)
        if done != size:
            raise WrongUsage(f"{name}: {done} bytes read, {size} expected", way_out="leave the files alone meanwhile")
        self._stream.write(bytes(-size % BLOCK))

    def close(self) -> None:
        """Write the end."""
        self._stream.write(bytes(2 * BLOCK))
        self._stream.close()  # type: ignore[no-untyped-call]  # its stubs say nothing


class ArchiveReader:
    """Reads members in order, never more than was asked for; `BundleRefused` for whatever is odd."""

    def __init__(self, file: BinaryIO) -> None:
        # Across frames: bytes after the last one then show as data after the end, or as no zstd.
        unpack = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        self._stream = unpack.stream_reader(file, read_across_frames=True, closefd=False)
        self._left = 0  # of the member that is being read
        self._pad = 0

    def _take(self, count: int) -> bytes:
        parts = []
        while count:
            try:
                block = self._stream.read(count)
            except zstandard.ZstdError as error:
                raise BundleRefused("archive-wrong", "the file is damaged or no bundle (zstd)") from error
            if not block:
                raise BundleRefused("archive-cut", "the file ends too soon")
            parts.append(block)
            count -= len(block)
        return b"".join(parts)

    def next(self) -> tuple[str, int] | None:
        """Give name and size of the next member, None at the end of the archive; the one before must be read."""
        assert self._left == 0
        if any(self._take(self._pad)):
            raise BundleRefused("archive-wrong", "bytes stand where padding should be")
        self._pad = 0
        header = self._take(BLOCK)
        if not any(header):
            self._end()
            return None
        name, size = _read_header(header)
        self._left, self._pad = size, -size % BLOCK
        return name, size

    def _end(self) -> None:
        if any(self._take(BLOCK)):
            raise BundleRefused("archive-wrong", "the archive has no proper end")
        try:
            more = self._stream.read(1)
        except zstandard.ZstdError as error:
            raise BundleRefused("archive-wrong", "something stands behind the end of the archive") from error
        if more:
            raise BundleRefused("archive-wrong", "something stands behind the end of the archive")

    def read(self) -> Iterator[bytes]:
        """Read the member in pieces of at most `COPY_BYTES`."""
        while self._left:
            block = self._take(min(self._left, COPY_BYTES))
            self._left -= len(block)
            yield block


def _read_header(header: bytes) -> tuple[str, int]:
    kind = header[156:157]
    name = header[:100].rstrip(b"\0").decode("ascii", "replace")
    shown = plain(name)[:100]
    if kind in _ODD:
        raise BundleRefused("member-wrong", f"{shown} is {_ODD[kind]}; a bundle holds plain files only")
    if not is_file_name(name):
        raise BundleRefused("member-wrong", f"the file name {shown} is not allowed")
    try:
        size = tarfile.nti(header[124:136])  # type: ignore[attr-defined]  # there since 3.0, missing in typeshed
    except tarfile.HeaderError as error:
        raise BundleRefused("member-wrong", f"{shown}: no size") from error
    if size < 0 or header_of(name, size) != header:
        raise BundleRefused("member-wrong", f"{shown}: a header that no bundle has")
    return name, int(size)


@contextmanager
def open_bundle(path: Path) -> Iterator[BinaryIO]:
    """Open the file of a bundle; `WrongUsage` when that cannot be done."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="name the file of a bundle") from error
    with file:
        yield file

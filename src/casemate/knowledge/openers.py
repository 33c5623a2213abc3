"""Open a reference file, compressed or not, and read it within bounds."""

import gzip
import hashlib
import io
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import orjson

from casemate.core.digest import Digest
from casemate.knowledge.records import distrust
from casemate.policy import Limits

_BLOCK = 1024 * 1024


class Bounded(io.RawIOBase):
    """A stream that refuses to give more than `most` bytes, so that a small file cannot fill the memory."""

    def __init__(self, inner: IO[bytes], most: int, name: str) -> None:
        super().__init__()
        self._inner = inner
        self._left = most
        self._name = name

    def readable(self) -> bool:
        """Say that bytes can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer from the inner stream; raises `NotTrusted` past the bound or where the packing is broken."""
        view = memoryview(cast("bytearray", buffer))
        try:
            data = self._inner.read(len(view))
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise distrust(self._name, "", f"damaged or cut off: {error}") from error
        self._left -= len(data)
        if self._left < 0:
            raise distrust(self._name, "", "unpacks to more than the policy's limit allows")
        view[: len(data)] = data
        return len(data)


def digest_file(path: Path) -> Digest:
    """Name a file's bytes by their SHA-256; `NotTrusted` when it cannot be read."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                total.update(block)
    except OSError as error:
        raise distrust(str(path), "", error.strerror or str(error)) from error
    return Digest(total.hexdigest())


def members(path: Path, limits: Limits) -> Iterator[tuple[str, io.BufferedReader]]:
    """Yield the name and the unpacked stream of each file in `path`: one, or as many as a zip holds.

    What the file is packed with is told by its first bytes (RFC 1952 gzip, xz, zip), not by its name. Raises
    `NotTrusted` for damage, encryption, too many members or too much inside.
    """
    try:
        with path.open("rb") as stream:
            magic = stream.read(6)
            stream.seek(0)
            if magic[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
                yield from _zip_members(path.name, stream, limits)
            elif magic[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=stream) as unzipped:
                    yield path.name, _bounded(cast("IO[bytes]", unzipped), limits.unpacked_bytes, path.name)
            elif magic == b"\xfd7zXZ\x00":
                with lzma.LZMAFile(stream) as unpacked:
                    yield path.name, _bounded(unpacked, limits.unpacked_bytes, path.name)
            else:
                yield path.name, _bounded(stream, limits.unpacked_bytes, path.name)
    except OSError as error:
        raise distrust(str(path), "", error.strerror or str(error)) from error


def _zip_members(
    outer: str, stream: IO[bytes], limits: Limits, depth: int = 1
) -> Iterator[tuple[str, io.BufferedReader]]:
    try:
        archive = zipfile.ZipFile(stream)
    except zipfile.BadZipFile as error:
        raise distrust(outer, "", f"not a whole zip archive: {error}") from error
    infos = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename)
    for info in infos:
        name = f"{outer}!{info.filename}"
        if info.flag_bits & 1:
            raise distrust(name, "", "encrypted")
        most = min(limits.unpacked_bytes, max(limits.unpack_ratio_floor, info.compress_size * limits.unpack_ratio))
        try:
            member = _bounded(archive.open(info), most, name)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise distrust(name, "", str(error)) from error
        with member:
            if member.peek(4)[:4] == b"PK\x03\x04" and depth < limits.unpack_depth:
                with tempfile.TemporaryFile() as spool:
                    shutil.copyfileobj(member, spool, _BLOCK)
                    spool.seek(0)
                    yield from _zip_members(name, spool, limits, depth + 1)
            else:
                yield name, member


def _bounded(stream: IO[bytes], most: int, name: str) -> io.BufferedReader:
    return io.BufferedReader(Bounded(stream, most, name), _BLOCK)


def parse_json(data: bytes, name: str, place: str = "") -> object:
    """Parse one JSON document (RFC 8259), a byte-order mark allowed; `NotTrusted` says where it breaks."""
    try:
        return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        where = place or f"line {error.lineno} column {error.colno}"
        raise distrust(name, where, f"not JSON: {error.msg}") from error


def read_whole(stream: IO[bytes], name: str, limits: Limits) -> bytes:
    """Read a stream to its end; `NotTrusted` when one document is larger than the policy allows."""
    data = stream.read(limits.json_document_bytes + 1)
    if len(data) > limits.json_document_bytes:
        raise distrust(name, "", f"one document of more than {limits.json_document_bytes} bytes")
    return data

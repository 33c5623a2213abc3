"""zip archives (APPNOTE.TXT 6.3.10), read by our own bounded parser: nothing is ever written or executed.

The central directory says what is inside; when it is missing (a file cut short), the local headers do.
"""

import stat
import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from casemate.core.issue import Issue, Severity
from casemate.stages.ingest.compressed import INPUT_BYTES, ZSTD_INPUT_BYTES, Deflated, Inflating, Unzstd
from casemate.stages.ingest.members import Slice, notes_about
from casemate.stages.ingest.reader import Head, Intake, Item, Member, Reader
from casemate.stages.ingest.stream import Readable

LOCAL, CENTRAL, END, END64, LOCATOR64 = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7"
END_BYTES = 65557  # an end record with the longest comment
STORED, DEFLATED, BZIPPED, ZSTANDARD = 0, 8, 12, 93
ENCRYPTED, UNSIZED, UNICODE = 1, 8, 0x800


class Entry(NamedTuple):
    """One member as a header tells it; `size` counts its compressed bytes, None when the header does not say."""

    name: str
    flags: int
    method: int
    size: int | None
    header: int
    mode: int


def _matches(head: Head) -> bool:
    return head.data.startswith((LOCAL, b"PK\5\6", b"PK\7\x08PK\3\4"))


def _read(intake: Intake) -> Iterator[Item]:
    with intake.stream.spool(intake.limits.spool_bytes) as archive:
        yield from intake.children(_members(intake, archive))


def _members(intake: Intake, archive: IO[bytes]) -> Iterator[Member | Issue]:
    total = intake.stream.size
    central = _find_central(archive, total)
    if central is None:
        intake.complete = False
        message = "its directory is missing or cut off; the members were looked for one after the other"
        yield intake.issue("zip-truncated", message, way_out="get the archive again")
        entries = _scan(archive, total)
    else:
        entries = _list_central(archive, *central)
    for entry in entries:
        yield from _open(intake, archive, entry, total)


def _open(intake: Intake, archive: IO[bytes], entry: Entry, total: int) -> Iterator[Member | Issue]:
    link = "another name" if stat.S_ISLNK(entry.mode) else None
    yield from notes_about(intake, entry.name, link=link)
    if entry.name.endswith("/") and not entry.size:
        return
    where = f"{intake.source}!{entry.name}"
    if entry.flags & ENCRYPTED:
        intake.complete = False
        message = "it is encrypted and was not read"
        way_out = "unpack it with its password in a safe place and give the files"
        yield Issue("encrypted", Severity.WARNING, message, where, "", way_out)
        return
    start = _data_start(archive, entry, total)
    if start is None or start + (entry.size or 0) > total:
        intake.complete = False
        message = "its header is damaged or its data is missing"
        yield Issue("zip-damaged", Severity.WARNING, message, where, f"byte {entry.header}", "get the archive again")
        if start is None:
            return
    archive.seek(start)
    size = total - start if entry.size is None else min(entry.size, total - start)
    packed = Slice(archive, size, "zip-truncated")
    opened = _unpack(packed, entry.method)
    if opened is None:
        intake.complete = False
        message = f"compression method {entry.method} is not known here; it was not read"
        yield Issue("zip-method", Severity.WARNING, message, where, "", "unpack it with another tool")
        return
    yield Member(entry.name, opened, packed=True)


def _unpack(packed: Slice, method: int) -> Readable | None:
    import bz2

    if method == STORED:
        return packed
    if method == DEFLATED:
        return Inflating(packed, lambda: Deflated(-15), "zip", step=INPUT_BYTES)
    if method == BZIPPED:
        return Inflating(packed, bz2.BZ2Decompressor, "zip", step=INPUT_BYTES)
    if method == ZSTANDARD:
        return Inflating(packed, Unzstd, "zip", step=ZSTD_INPUT_BYTES)
    return None


def _find_central(archive: IO[bytes], total: int) -> tuple[int, int, int] | None:
    """Return where the central directory begins and ends, and how far all offsets are off (a prefix, as in `.exe`)."""
    base = max(total - END_BYTES, 0)
    archive.seek(base)
    tail = archive.read(END_BYTES)
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < 22:
        return None
    size, offset = struct.unpack_from("<II", tail, at + 12)
    end = base + at
    if at >= 20 and tail[at - 20 : at - 16] == LOCATOR64:
        (where,) = struct.unpack_from("<Q", tail, at - 12)
        archive.seek(min(where, total))
        record = archive.read(56)
        if len(record) == 56 and record.startswith(END64):
            size, offset = struct.unpack_from("<QQ", record, 40)
            end = where
    begin = end - size
    if begin < 0:
        return None
    archive.seek(begin)
    if size and archive.read(4) != CENTRAL:
        return None
    return begin, end, begin - offset


def _list_central(archive: IO[bytes], begin: int, end: int, shift: int) -> Iterator[Entry]:
    at = begin
    while at + 46 <= end:
        archive.seek(at)
        fixed = archive.read(46)
        if not fixed.startswith(CENTRAL) or len(fixed) < 46:
            return
        flags, method = struct.unpack_from("<HH", fixed, 8)
        size, plain = struct.unpack_from("<II", fixed, 20)
        name_size, extra_size, comment_size = struct.unpack_from("<HHH", fixed, 28)
        attributes, header = struct.unpack_from("<II", fixed, 38)
        name = archive.read(name_size)
        extra = archive.read(extra_size)
        size, header = _wide(extra, size, plain, header)
        yield Entry(_name(name, flags), flags, method, size, header + shift, attributes >> 16)
        at += 46 + name_size + extra_size + comment_size


def _wide(extra: bytes, size: int, plain: int, header: int) -> tuple[int, int]:
    """Take the 64-bit sizes out of the extra fields (APPNOTE 4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = [
                int.from_bytes(extra[i : i + 8], "little")
                for i in range(at + 4, min(at + 4 + length, len(extra)) - 7, 8)
            ]
            wanted = [plain == 0xFFFFFFFF, size == 0xFFFFFFFF, header == 0xFFFFFFFF]
            taken = [values.pop(0) if want and values else None for want in wanted]
            return (size if taken[1] is None else taken[1], header if taken[2] is None else taken[2])
        at += 4 + length
    return size, header


def _name(raw: bytes, flags: int) -> str:
    if flags & UNICODE or raw.isascii():
        return raw.decode("utf-8", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _data_start(archive: IO[bytes], entry: Entry, total: int) -> int | None:
    if not 0 <= entry.header <= total - 30:
        return None
    archive.seek(entry.header)
    fixed = archive.read(30)
    if not fixed.startswith(LOCAL):
        return None
    name_size, extra_size = struct.unpack_from("<HH", fixed, 26)
    start: int = entry.header + 30 + name_size + extra_size
    return start if start <= total else None


def _scan(archive: IO[bytes], total: int) -> Iterator[Entry]:
    """Find members by their local headers, each after the compressed bytes of the one before."""
    at = 0
    while (found := _find(archive, LOCAL, at, total)) is not None:
        archive.seek(found)
        fixed = archive.read(30)
        if len(fixed) < 30:
            return
        flags, method = struct.unpack_from("<HH", fixed, 6)
        size, plain = struct.unpack_from("<II", fixed, 18)
        name_size, extra_size = struct.unpack_from("<HH", fixed, 26)
        name = archive.read(name_size)
        extra = archive.read(extra_size)
        size, _ = _wide(extra, size, plain, 0)
        start = found + 30 + name_size + extra_size
        if start > total:
            return
        known = size if size and not flags & UNSIZED else None
        after = start + (known or 0)
        yield Entry(_name(name, flags), flags, method, _size(archive, known, flags, start, total), found, 0)
        at = min(after, total)


def _size(archive: IO[bytes], known: int | None, flags: int, start: int, total: int) -> int | None:
    if known is not None:
        return min(known, total - start)
    if not flags & UNSIZED:
        return 0
    following = _find(archive, LOCAL, start, total)
    return (total if following is None else following) - start


def _find(archive: IO[bytes], what: bytes, start: int, total: int) -> int | None:
    at = start
    while at < total:
        archive.seek(at)
        block = archive.read(1 << 20)
        if (found := block.find(what)) >= 0:
            return at + found
        if len(block) < 1 << 20:
            return None
        at += len(block) - 3
    return None


ZIP = Reader("zip", _matches, _read)

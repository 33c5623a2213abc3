"""tar archives, streamed: ustar, GNU and pax (POSIX.1-2017, pax; GNU tar manual, Basic Tar Format)."""

import re
from collections.abc import Iterator

from casemate.core.issue import Issue, Severity
from casemate.stages.ingest.members import Slice, notes_about
from casemate.stages.ingest.reader import Head, Intake, Item, Member, Reader

RECORD = 512
LONG_NAME_BYTES = 65536  # a longer name is cut
LINKS = (b"1", b"2")
DEVICES = (b"3", b"4", b"6")
FOLDER = b"5"
PAX = re.compile(rb"(\d{1,6}) ([^=\n]{1,64})=")


def _matches(head: Head) -> bool:
    return len(head.data) >= RECORD and _sound(head.data[:RECORD])


def _sound(header: bytes) -> bool:
    """Say whether the checksum of a header is right; all zeros, which ends an archive, is not a header."""
    told = _number(header[148:156])
    if told is None or not header[0]:
        return False
    total = sum(header) - sum(header[148:156]) + 8 * 32
    signed = total - 256 * sum(byte >= 128 for byte in header[:148] + header[156:])  # as some old tars counted
    return told in {total, signed}


def _number(field: bytes) -> int | None:
    if field[:1] == b"\x80":  # GNU base 256
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0")[0].strip()
    if not digits:
        return 0
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else None


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "replace")


def _read(intake: Intake) -> Iterator[Item]:
    yield from intake.children(_members(intake))


def _members(intake: Intake) -> Iterator[Member | Issue]:
    long_name: str | None = None
    long_link: str | None = None
    while True:
        header = intake.stream.read(RECORD)
        if len(header) < RECORD or not header.strip(b"\0"):
            if 0 < len(header) < RECORD:
                yield _broken(intake, "truncated", "it is cut short inside a header")
            return
        size = _number(header[124:136])
        if size is None or not _sound(header):
            yield _broken(intake, "damaged", "a header is damaged; what follows was left out")
            return
        kind = header[156:157]
        if kind in {b"L", b"K", b"x", b"g"}:
            data = intake.stream.read(min(size, LONG_NAME_BYTES))
            _skip(intake, size - len(data) + -size % RECORD)
            path, link = _long(kind, data)
            long_name, long_link = path or long_name, link or long_link
            continue
        name = long_name or _name(header)
        link = long_link or _text(header[157:257])
        long_name = long_link = None
        yield from notes_about(intake, name, link=link if kind in LINKS else None, device=kind in DEVICES)
        body = Slice(intake.stream, 0 if kind in LINKS + DEVICES else size, "tar-truncated")
        if kind not in {*LINKS, *DEVICES, FOLDER}:
            yield Member(name, body)
        _skip(intake, body.left + -size % RECORD if kind not in LINKS + DEVICES else 0)


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _long(kind: bytes, data: bytes) -> tuple[str | None, str | None]:
    if kind == b"L":
        return _text(data), None
    if kind == b"K":
        return None, _text(data)
    found: dict[bytes, str] = {}
    at = 0
    while match := PAX.match(data, at):
        end = at + int(match.group(1))
        if end <= match.end() or kind == b"g":
            break
        found[match.group(2)] = data[match.end() : end - 1].decode("utf-8", "replace")
        at = end
    return found.get(b"path"), found.get(b"linkpath")


def _skip(intake: Intake, count: int) -> None:
    while count > 0 and (data := intake.stream.read(min(count, 1 << 20))):
        count -= len(data)


def _broken(intake: Intake, what: str, message: str) -> Issue:
    intake.complete = False
    place = f"byte {intake.stream.size}"
    return intake.issue(f"tar-{what}", message, severity=Severity.WARNING, place=place, way_out="get the archive again")


TAR = Reader("tar", _matches, _read)

"""What the archive readers share: the notes about hostile members, and a part of a stream."""

import re
from collections.abc import Iterator

from casemate.core.issue import Issue, Severity
from casemate.stages.ingest.reader import Intake
from casemate.stages.ingest.stream import Damage, Readable

_UNSAFE = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)")


def notes_about(intake: Intake, name: str, *, link: str | None = None, device: bool = False) -> Iterator[Issue]:
    """Note what would be dangerous about a member if it were unpacked to a disk; here it is only read."""
    if _UNSAFE.search(name) or "\0" in name:
        message = "its name points outside the archive; it was read as data and never written"
        yield Issue(
            "member-path", Severity.NOTE, message, f"{intake.source}!{name}", "", "look at who made this archive"
        )
    if link is not None:
        message = f"it is a link to {link!r}; the link was not followed"
        yield Issue("member-link", Severity.NOTE, message, f"{intake.source}!{name}", "", "give the file it means")
    if device:
        message = "it is a device or a pipe; it was not opened"
        yield Issue("member-device", Severity.NOTE, message, f"{intake.source}!{name}", "", "")


class Slice:
    """The next `size` bytes of a stream; a `Readable` that raises `Damage` when the stream ends before them."""

    def __init__(self, stream: Readable, size: int, code: str) -> None:
        self._stream = stream
        self._code = code
        self.left = size

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes of the slice."""
        data = self._stream.read(min(size, self.left)) if self.left else b""
        if not data and self.left:
            raise Damage(self._code, f"{self.left} bytes of it are missing", way_out="get the archive again")
        self.left -= len(data)
        return data

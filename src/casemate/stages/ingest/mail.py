"""Mail (.eml): the headers and the plain text are the part's own text; everything else in it becomes child evidence."""

import io
import re
from collections.abc import Iterator

from casemate.core.issue import Issue, Severity
from casemate.stages.ingest.decode import Block, Run, decode_block
from casemate.stages.ingest.mime import (
    Heading,
    decode,
    decode_base64,
    decode_body,
    decode_words,
    fields,
    header_end,
    heading,
)
from casemate.stages.ingest.reader import Head, Intake, Item, Member, Reader
from casemate.stages.ingest.sheet import LineCursor, Sheet

HEADER_LINE = re.compile(r"([!-9;-~]{1,80})[ \t]*:")
KNOWN = frozenset(
    (
        *("from", "to", "cc", "subject", "date", "message-id", "received", "return-path", "mime-version", "sender"),
        *("content-type", "delivered-to", "reply-to", "x-mailer", "x-originating-ip", "dkim-signature", "in-reply-to"),
        *("references", "authentication-results"),
    )
)
TELLING = frozenset(("from", "received", "message-id", "return-path", "mime-version", "delivered-to"))
MBOX = re.compile(rb"(?:\A|\n\r?\n)From [^\n]{1,200}\n(?=[!-9;-~]+:)")
NESTING = 30  # multipart in multipart
SINGLE = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
    "": "utf-8",
}
"""Charsets whose text can be led back byte by byte."""


def _matches(head: Head) -> bool:
    if head.binary or head.encoding.startswith("utf-16"):
        return False
    lines = head.text.splitlines()[:40]
    if lines and lines[0].startswith("From "):
        lines = lines[1:]
    names: list[str] = []
    for line in lines:
        if line[:1] in {" ", "\t"} and names:
            continue
        match = HEADER_LINE.match(line)
        if match is None:
            break
        names.append(match.group(1).lower())
    known = KNOWN.intersection(names)
    return len(known) >= 2 and bool(TELLING & known) and len(known) * 4 >= len(set(names))


def _read(intake: Intake) -> Iterator[Item]:
    limit = intake.limits.email_bytes
    data = intake.stream.read(limit)
    if len(data) == limit and intake.stream.read(1):
        intake.complete = False
        message = f"a message of more than {limit} bytes; the rest was left out"
        yield intake.issue("email-bytes", message, way_out="raise limits.email_bytes in the policy")
    starts = [match.end() for match in MBOX.finditer(data)]
    if len(starts) > 1 and data.startswith(b"From "):
        yield from intake.children(_messages(data, starts))
        return
    walk = _Walk(intake, data)
    begin = starts[0] if starts and data.startswith(b"From ") else intake.head.bom
    walk.entity(begin, len(data), 0)
    yield from walk.sheet.take_all()
    yield from walk.issues
    yield from intake.children(walk.members())


def _messages(data: bytes, starts: list[int]) -> Iterator[Member]:
    for number, start in enumerate(starts, 1):
        following = MBOX.search(data, start)
        yield Member(f"message-{number}.eml", io.BytesIO(data[start : following.start() + 1 if following else None]))


class _Walk:
    """Walks the entities of one message, writing text and remembering what becomes a child."""

    def __init__(self, intake: Intake, data: bytes) -> None:
        self.sheet = Sheet(intake.part, intake.limits.chunk_chars)
        self.issues: list[Issue] = []
        self._intake = intake
        self._data = data
        self._cursor = LineCursor(data)
        self._children: list[tuple[int, int, Heading]] = []
        self._parts = 0

    def entity(self, begin: int, end: int, depth: int) -> None:
        """Write the header of an entity and go into its body."""
        self._parts += 1
        if self._parts > self._intake.limits.email_parts:
            return self._stop(
                "email-parts", f"more than {self._intake.limits.email_parts} parts; the rest was left out"
            )
        self._header(begin, *header_end(self._data, begin, end))
        what = heading(self._data, begin, end)
        if what.type.startswith("multipart/") and what.boundary:
            if depth < NESTING:
                return self._multipart(what, end, depth)
            return self._stop("email-nesting", f"more than {NESTING} multiparts inside each other; not read further")
        plain = what.type.startswith("text/") or what.type.startswith("multipart/")
        if plain and what.type != "text/html" and not what.attached and not what.filename:
            return self._text(what, end)
        self._children.append((what.body, end, what))
        return None

    def members(self) -> Iterator[Member]:
        """Decode each child when it is asked for."""
        for number, (begin, end, what) in enumerate(self._children, 1):
            name = what.filename or f"part-{number}{_suffix(what.type)}"
            yield Member(name, io.BytesIO(decode_body(self._data[begin:end], what.encoding)))

    def _stop(self, code: str, message: str) -> None:
        self._intake.complete = False
        if not any(issue.code == code for issue in self.issues):
            way_out = "raise the limit in the policy, or take the parts out with a mail program"
            self.issues.append(self._intake.issue(code, message, severity=Severity.WARNING, way_out=way_out))

    def _header(self, begin: int, end: int, body: int) -> None:
        done = begin
        for start, stop, _, _ in fields(self._data, begin, end):
            raw = self._data[start:stop]
            if b"=?" in raw:
                self._verbatim(done, start)
                text = decode_words(decode(raw, ""))
                self.sheet.add(text, Run(len(text), start, stop - start, self._cursor.line(start), verbatim=False))
                done = stop
        self._verbatim(done, body)
        self.sheet.break_line(body, 0, self._cursor.line(body))

    def _multipart(self, what: Heading, end: int, depth: int) -> None:
        mark = re.compile(rb"^--" + re.escape(what.boundary.strip()) + rb"(--)?[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
        begin: int | None = None
        text_from = what.body
        for match in mark.finditer(self._data, what.body, end):
            if begin is None:
                self._verbatim(text_from, match.start())
            else:
                self.entity(begin, _before_line_end(self._data, begin, match.start()), depth + 1)
            begin, text_from = (None, match.end()) if match.group(1) else (match.end(), match.end())
        if begin is not None:
            if begin < end:
                self.entity(begin, end, depth + 1)
            self._stop("email-truncated", "the last boundary is missing: the message is cut short or damaged")
        else:
            self._verbatim(text_from, end)

    def _text(self, what: Heading, end: int) -> None:
        body = self._data[what.body : end]
        charset = what.charset.strip().lower()
        line = self._cursor.line(what.body)
        if what.encoding == "base64":
            text = decode(decode_base64(body), charset)
            self.sheet.add(text, Run(len(text), what.body, len(body), line, verbatim=False))
        elif what.encoding == "quoted-printable":
            self._quoted(what.body, end, charset)
        elif charset in SINGLE:
            self._verbatim(what.body, end, SINGLE[charset])
        else:
            self._by_line(what.body, end, charset)
        self.sheet.break_line(end, 0, self._cursor.line(end))

    def _quoted(self, begin: int, end: int, charset: str) -> None:
        """Write quoted-printable text (RFC 2045 section 6.7), a piece for each line that soft breaks join."""
        at = begin
        while at < end:
            stop = at
            while stop < end:
                feed = self._data.find(b"\n", stop, end)
                stop = end if feed < 0 else feed + 1
                if not self._data[max(at, stop - 4) : stop].rstrip(b"\r\n \t").endswith(b"="):
                    break
            raw = self._data[at:stop]
            if b"=" in raw or not raw.isascii():
                text = decode(decode_body(raw, "quoted-printable"), charset)
                self.sheet.add(text, Run(len(text), at, len(raw), self._cursor.line(at), verbatim=False))
            else:
                self._verbatim(at, stop)
            at = stop

    def _by_line(self, begin: int, end: int, charset: str) -> None:
        at = begin
        while at < end:
            feed = self._data.find(b"\n", at, end)
            stop = end if feed < 0 else feed + 1
            raw = self._data[at:stop]
            if raw.isascii() and b"\x1b" not in raw and b"~" not in raw:
                self._verbatim(at, stop)
            else:
                text = decode(raw, charset)
                self.sheet.add(text, Run(len(text), at, len(raw), self._cursor.line(at), verbatim=False))
            at = stop

    def _verbatim(self, begin: int, end: int, encoding: str = "utf-8") -> None:
        if begin < end:
            data = self._data[begin:end]
            block: Block = decode_block(data, encoding, begin, self._cursor.line(begin))
            if block.bad > len(data) // 64:
                block = decode_block(data, "latin-1", begin, self._cursor.line(begin))
            self.sheet.add_block(block)


def _before_line_end(data: bytes, begin: int, end: int) -> int:
    """Leave out the line end before a boundary, which belongs to the boundary (RFC 2046 section 5.1.1)."""
    if end > begin and data[end - 1 : end] == b"\n":
        end -= 1
        if end > begin and data[end - 1 : end] == b"\r":
            end -= 1
    return end


def _suffix(kind: str) -> str:
    if kind == "text/html":
        return ".html"
    return ".eml" if kind == "message/rfc822" else ".bin"


MAIL = Reader("email", _matches, _read)

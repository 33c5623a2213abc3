"""HTML: the visible text, and on lines of their own what is not visible: addresses, values and comments.

Nothing is left out because it is hidden: a white-on-white instruction or a link under another text is what an analyst
is after. Our own tokenizer knows the byte of everything and takes linear time (WHATWG HTML, section 13.2.5, reduced).
"""

import html
import re
from collections.abc import Iterator

from casemate.stages.ingest.decode import Run, decode_block
from casemate.stages.ingest.lines import bad_bytes
from casemate.stages.ingest.reader import Head, Intake, Item, Reader
from casemate.stages.ingest.sheet import LineCursor, Sheet

START = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
TAG_LIKE = re.compile(
    r"</?(?:a|b|br|div|p|span|table|td|tr|ul|li|h[1-6]|img|font|style|meta|script)\b[^<>]{0,4096}>", re.IGNORECASE
)
HEAD_CHARS = 16384
TAG_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9:-]*)")
ATTRIBUTE = re.compile(r"[\s/]*([^\s/>=][^\s/>=]*)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]*))?")
TAG_END = re.compile(r"[\s/]*>?")
ENTITY = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});?")
CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{1,20})", re.IGNORECASE)
ONE_BYTE = re.compile(r"windows-125\d|iso-8859-\d{1,2}|koi8-[ru]", re.IGNORECASE)
INLINE = frozenset(
    (
        *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i"),
        *("ins", "kbd", "label", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup"),
        *("time", "tt", "u", "var", "wbr"),
    )
)
RAW = {
    name: re.compile(rf"</{name}\b", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "noscript")
}
TELLING = frozenset(
    (
        *("href", "src", "action", "formaction", "data", "background", "poster", "cite", "srcset", "content", "value"),
        *("alt", "title", "placeholder", "aria-label", "style", "srcdoc", "ping", "longdesc", "codebase", "archive"),
    )
)
"""Attributes whose values say where something leads or what a person is shown; `on*` and `data-*` count too."""
ATTRIBUTES_PER_TAG = 500


def _matches(head: Head) -> bool:
    if head.binary:
        return False
    if START.match(head.text, _skip_prologue(head.text)):
        return True
    hinted = head.name.lower().endswith((".html", ".htm", ".xhtml"))
    return hinted and len(TAG_LIKE.findall(head.text[:HEAD_CHARS])) >= 1


def _skip_prologue(text: str) -> int:
    """Return where white space, comments and an XML declaration at the beginning end."""
    at = 0
    while True:
        at += len(text[at:HEAD_CHARS]) - len(text[at:HEAD_CHARS].lstrip())
        mark = "-->" if text.startswith("<!--", at) else "?>" if text.startswith("<?xml", at) else ""
        end = text.find(mark, at, HEAD_CHARS) if mark else -1
        if end < 0:
            return at
        at = end + len(mark)


def _read(intake: Intake) -> Iterator[Item]:
    limit = intake.limits.html_bytes
    data = intake.stream.read(limit)
    if len(data) == limit and intake.stream.read(1):
        intake.complete = False
        message = f"a page of more than {limit} bytes; the rest was left out"
        yield intake.issue("html-bytes", message, way_out="raise limits.html_bytes in the policy")
    page = _Page(intake, data)
    for _ in page.walk():
        yield from page.sheet.take_full()
    yield from page.sheet.take_all()
    if page.bad:
        yield bad_bytes(intake, page.bad)


def _encoding(head: Head) -> str:
    told = CHARSET.search(head.data[:4096])
    if told and head.bom == 0 and head.encoding in {"latin-1", "cp1252"}:
        name = told.group(1).decode("ascii").lower()
        if ONE_BYTE.fullmatch(name):
            return "cp1252" if name == "iso-8859-1" else name
    return head.encoding


class _Page:
    """Walks one page and writes its text; `_later` holds what is shown at the next break of the line."""

    def __init__(self, intake: Intake, data: bytes) -> None:
        self.sheet = Sheet(intake.part, intake.limits.chunk_chars)
        body = data[intake.head.bom :]
        block = decode_block(body, _encoding(intake.head), intake.head.bom, 1)
        self.bad = block.bad
        self._text = block.text
        self._runs = block.runs
        self._cursor = LineCursor(data)
        self._run = 0  # the run that holds the last position asked for, and where it starts
        self._run_start = 0
        self._known = (0, intake.head.bom)  # a position in that run and its byte
        self._later: list[tuple[int, int]] = []

    def walk(self) -> Iterator[None]:
        """Go through the page token by token; yields now and then so that full chunks can be taken away."""
        text, at = self._text, 0
        while at < len(text):
            mark = text.find("<", at)
            mark = len(text) if mark < 0 else mark
            if mark > at:
                self._show(at, mark)
            if mark == len(text):
                break
            at = self._markup(mark)
            yield
        self._break(len(text), len(text))

    def _markup(self, at: int) -> int:
        """Read what begins with `<` at `at`, and return where it ends."""
        text = self._text
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
            stop, after = (len(text), len(text)) if end < 0 else (end, end + 3)
            self._later.append((at + 4, max(stop, at + 4)))
            return after
        if text.startswith(("<!", "<?"), at):
            end = text.find(">", at)
            self._break(at, at)
            return len(text) if end < 0 else end + 1
        name = TAG_NAME.match(text, at + 1)
        if name is None:
            self._show(at, at + 1)
            return at + 1
        tag = name.group(1).lower()
        end = self._attributes(name.end())
        if tag not in INLINE:
            self._break(at, end)
        if tag in RAW and text[at + 1] != "/":
            closing = RAW[tag].search(text, end)
            stop = len(text) if closing is None else closing.start()
            self._show(end, stop, entities=tag in {"textarea", "title"})
            return stop
        return end

    def _attributes(self, at: int) -> int:
        for _ in range(ATTRIBUTES_PER_TAG):
            match = ATTRIBUTE.match(self._text, at)
            if match is None:
                break
            at = match.end()
            name = match.group(1).lower()
            if match.group(2) and (name in TELLING or name.startswith(("on", "data-", "xlink:"))):
                begin, end = match.span(2)
                quoted = self._text[begin] in {'"', "'"} and end - begin > 1
                self._later.append((begin + 1, end - 1) if quoted else (begin, end))
        closing = TAG_END.match(self._text, at)
        return at if closing is None else closing.end()

    def _break(self, begin: int, end: int) -> None:
        """End the line, because of the tag in `begin..end`, and show what waits, each on its line."""
        self._new_line(begin, end)
        later, self._later = self._later, []
        for start, stop in later:
            self._show(start, stop)
            self._new_line(stop, stop)

    def _new_line(self, begin: int, end: int) -> None:
        if not self.sheet.ends_line:
            first, line = self._place(begin)
            self.sheet.break_line(first, self._place(end)[0] - first, line)

    def _show(self, begin: int, end: int, *, entities: bool = True) -> None:
        done = begin
        if entities and self._text.find("&", begin, end) >= 0:
            for match in ENTITY.finditer(self._text, begin, end):
                made = html.unescape(match.group())
                if made != match.group():
                    self._copy(done, match.start())
                    self._made(made, match.start(), match.end())
                    done = match.end()
        self._copy(done, end)

    def _made(self, made: str, begin: int, end: int) -> None:
        byte, line = self._place(begin)
        size = self._place(end)[0] - byte
        self.sheet.add(made, Run(len(made), byte, size, line, verbatim=False))

    def _copy(self, begin: int, end: int) -> None:
        """Write a stretch of the page as it stands, run by run."""
        while begin < end:
            byte, line = self._place(begin)
            run = self._runs[self._run]
            stop = min(end, self._run_start + run.length)
            if run.verbatim:
                size = self._byte(stop) - byte
                self.sheet.add(self._text[begin:stop], Run(stop - begin, byte, size, line, encoding=run.encoding))
            else:
                self.sheet.add(self._text[begin:stop], run._replace(length=stop - begin))
            begin = stop

    def _place(self, at: int) -> tuple[int, int]:
        """Return the byte and the line of a character of the page."""
        while at < self._run_start:
            self._run -= 1
            self._run_start -= self._runs[self._run].length
            self._known = (self._run_start, self._runs[self._run].byte)
        while self._run + 1 < len(self._runs) and at >= self._run_start + self._runs[self._run].length:
            self._run_start += self._runs[self._run].length
            self._run += 1
            self._known = (self._run_start, self._runs[self._run].byte)
        byte = self._byte(at)
        return byte, self._cursor.line(byte)

    def _byte(self, at: int) -> int:
        run = self._runs[self._run]
        if not run.verbatim:
            return run.byte if at < self._run_start + run.length else run.byte + run.size
        if run.size == run.length:
            return run.byte + at - self._run_start
        known, byte = self._known
        if at >= known:
            byte += len(self._text[known:at].encode(run.encoding))
        else:
            byte -= len(self._text[at:known].encode(run.encoding))
        self._known = (at, byte)
        return byte


HTML = Reader("html", _matches, _read)

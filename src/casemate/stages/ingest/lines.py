"""Reading in lines: chunks of normalised text as fast as the bytes come, and events when somebody wants them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from casemate.core.event import Event
from casemate.core.issue import Issue
from casemate.stages.ingest.decode import REPLACEMENT, Block, Run, make_chunk, read_blocks
from casemate.stages.ingest.reader import Intake, Item

Parse = Callable[[str, int, int], Event | Issue | None]
"""Makes an event of one line: the line as received, without its end; where it starts in the normalised text; its
number from 1. The event's `end` is `start + len(line)`; `read_lines` moves it when the escapes were undone."""

_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = rf'(?:{_PAIR}|\\u[0-9a-fA-F]{{4}}|\\["\\/bfnrt])'
ESCAPES = re.compile(rf"{_ESCAPE}(?:[^\\\n]{{0,32}}{_ESCAPE}){{0,40}}")  # neighbours share a run: fewer pieces
ONE_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\([\"\\/bfnrt])"
)
LONG_LINE = 2048  # characters; in a longer line the undone stretches, not the line, are made from their bytes
UNITS = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})()")
PLAIN = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
SIMPLE = tuple(("\\" + name, char) for name, char in PLAIN.items() if name != "\\")


def read_lines(intake: Intake, parse: Parse, *, unescape: bool = False) -> Iterator[Item]:
    """Yield the text of the part in chunks, and after each what `parse` makes of the lines that end in it.

    With `unescape` the JSON string escapes are undone in the text (RFC 8259 section 7), so that paths and addresses
    read as they are meant; the lines given to `parse` still hold them. A line longer than `record_bytes` stays text.
    """
    start = bad = 0
    lines = _Lines(parse, intake.limits.record_bytes, unescape=unescape)
    for block in read_blocks(intake):
        shown = unescape_block(block) if unescape else block
        yield make_chunk(intake.part, start, shown)
        if intake.events:
            yield from lines.feed(block.text, start)
        start += len(shown.text)
        bad += block.bad
    if intake.events:
        yield from lines.finish()
    if bad:
        yield bad_bytes(intake, bad)


def bad_bytes(intake: Intake, count: int) -> Issue:
    """Say that bytes could not be decoded."""
    message = f"{count} bytes are no valid {intake.head.encoding}; each is shown as U+FFFD"
    return intake.issue("bad-encoding", message, way_out="the bytes themselves are kept and cited as received")


def undo_escapes(text: str) -> str:
    """Undo every JSON string escape; half a surrogate pair becomes U+FFFD."""
    if "\\" not in text:
        return text
    if "\0" in text or "\\u" in text:
        return ONE_ESCAPE.sub(_undo, text)
    text = text.replace("\\\\", "\0")  # out of the way, so that what is left of a pair is no escape
    if "\\" in text:
        for escape, char in SIMPLE:
            text = text.replace(escape, char)
    return text.replace("\0", "\\")


def _undo(match: re.Match[str]) -> str:
    high, low, unit, plain = match.groups()
    if plain:
        return PLAIN[plain]
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    code = int(unit, 16)
    return REPLACEMENT if 0xD800 <= code < 0xE000 else chr(code)


def unescape_block(block: Block) -> Block:
    """Undo the JSON string escapes of a block; every undone stretch becomes a run that is not verbatim."""
    if "\\" not in block.text:
        return block
    runs: list[Run] = []
    parts: list[str] = []
    offset = 0
    for run in block.runs:
        text = block.text[offset : offset + run.length]
        offset += run.length
        if run.verbatim and "\\" in text:
            _unescape_run(text, run, runs, parts)
        else:
            runs.append(run)
            parts.append(text)
    return Block("".join(parts), tuple(runs), block.bad)


def _unescape_run(text: str, run: Run, runs: list[Run], parts: list[str]) -> None:
    """Undo the escapes of one verbatim run; a line that holds some is one run, made from its bytes."""
    raw_lines = text.split("\n")
    if max(map(len, raw_lines)) > LONG_LINE or "\0" in text or "\1" in text or "\\u000" in text:
        _unescape_finely(text, run, runs, parts)
        return
    made = _undo_all(text)
    encoding = run.encoding
    narrow = run.size == run.length
    byte, line = run.byte, run.line
    feed = 2 if encoding.startswith("utf-16") else 1
    length = size = 0  # of the verbatim lines since the last made one
    first = line
    for raw, new in zip(raw_lines, made.split("\n"), strict=True):
        width = (len(raw) if narrow else len(raw.encode(encoding))) + feed
        if len(raw) == len(new):
            length += len(raw) + 1
            size += width
        else:
            if length:
                runs.append(Run(length, byte, size, first, True, encoding))  # noqa: FBT003 - a tuple, in the hot loop
            byte += size
            runs.append(Run(len(new) + 1, byte, width, line, False, encoding))  # noqa: FBT003 - as above
            byte += width
            length = size = 0
            first = line + 1
        line += 1
    if length:
        runs.append(Run(length, byte, size, first, encoding=encoding))
    last = runs.pop()  # the text ends before the line feed that the last line was counted with
    if last.length > 1:
        runs.append(last._replace(length=last.length - 1, size=last.size - feed))
    parts.append(made.replace("\1", "\n"))


def _undo_all(text: str) -> str:
    """Undo the escapes of many lines; a line feed that was escaped becomes U+0001 for now."""
    text = text.replace("\\\\", "\0")
    if "\\u" in text:
        text = UNITS.sub(_undo, text)
    if "\\" in text:
        text = text.replace("\\n", "\1")
        for escape, char in SIMPLE:
            text = text.replace(escape, char)
    return text.replace("\0", "\\")


def _unescape_finely(text: str, run: Run, runs: list[Run], parts: list[str]) -> None:
    narrow = run.size == run.length
    byte, line, done, at = run.byte, run.line, 0, 0

    def width(part: str) -> int:
        return len(part) if narrow else len(part.encode(run.encoding))

    while (slash := text.find("\\", at)) >= 0:
        begin = max(text.rfind("\n", done, slash) + 1, done)
        end = text.find("\n", slash) + 1 or len(text)
        if end - begin > LONG_LINE:
            match = ESCAPES.match(text, slash)
            if match is None:
                at = slash + 1
                continue
            begin, end = match.span()
        if begin > done:
            kept = text[done:begin]
            size = width(kept)
            runs.append(Run(begin - done, byte, size, line, encoding=run.encoding))
            parts.append(kept)
            byte += size
            line += kept.count("\n")
        raw = text[begin:end]
        size = width(raw)
        made = undo_escapes(raw)
        runs.append(Run(len(made), byte, size, line, verbatim=False, encoding=run.encoding))
        parts.append(made)
        byte += size
        line += raw.endswith("\n")
        done = at = end
    if done < len(text):
        kept = text[done:]
        runs.append(Run(len(kept), byte, run.byte + run.size - byte, line, encoding=run.encoding))
        parts.append(kept)


class _Lines:
    """Cuts decoded text into lines, across blocks, and gives each to `parse`."""

    def __init__(self, parse: Parse, longest: int, *, unescape: bool) -> None:
        self._parse = parse
        self._longest = longest
        self._unescape = unescape
        self._number = 1
        self._held: list[str] = []  # the beginning of a line that goes on in the next block
        self._held_size = 0
        self._held_start = 0
        self._held_shown = 0

    def feed(self, text: str, start: int) -> Iterator[Event | Issue]:
        """Parse the lines that end in `text`, whose normalised form begins at `start`."""
        lines = text.split("\n")
        rest = lines.pop()
        for line in lines:
            shown = self._shown(line) + 1
            if self._held:
                self._hold(line, start, shown - 1)
                yield from self.finish()
            else:
                yield from self._make(line, start, shown - 1)
            self._number += 1
            start += shown
        if rest:
            self._hold(rest, start, self._shown(rest))

    def finish(self) -> Iterator[Event | Issue]:
        """Parse the line that is held."""
        if self._held and self._held_size <= self._longest:
            line = "".join(self._held)
            yield from self._make(line, self._held_start, self._held_shown)
        self._held = []
        self._held_size = self._held_shown = 0

    def _shown(self, line: str) -> int:
        return len(undo_escapes(line)) if self._unescape else len(line)

    def _hold(self, line: str, start: int, shown: int) -> None:
        if not self._held:
            self._held_start = start
        self._held_size += len(line)
        self._held_shown += shown
        if self._held_size <= self._longest:
            self._held.append(line)
        else:
            self._held = [""]  # too long for a record: only that a line is held matters now

    def _make(self, line: str, start: int, shown: int) -> Iterator[Event | Issue]:
        extra = len(line)
        line = line.rstrip("\r")
        if not line:
            return
        made = self._parse(line, start, self._number)
        if isinstance(made, Event) and self._unescape:
            made = replace(made, end=start + shown - (extra - len(line)))
        if made is not None:
            yield made

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

_ESCAPE = r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])'
ESCAPES = re.compile(rf"{_ESCAPE}(?:[^\\\n]{{0,16}}{_ESCAPE}){{0,40}}")  # neighbours share a run: fewer pieces
ONE_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\([\"\\/bfnrt])"
)
PLAIN = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


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
    return ONE_ESCAPE.sub(_undo, text) if "\\" in text else text


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
    narrow = run.size == run.length
    byte, line, done = run.byte, run.line, 0

    def width(part: str) -> int:
        return len(part) if narrow else len(part.encode(run.encoding))

    for match in ESCAPES.finditer(text):
        if match.start() > done:
            kept = text[done : match.start()]
            size = width(kept)
            runs.append(Run(len(kept), byte, size, line, encoding=run.encoding))
            parts.append(kept)
            byte += size
            line += kept.count("\n")
        size = width(match.group())
        made = undo_escapes(match.group())
        runs.append(Run(len(made), byte, size, line, verbatim=False, encoding=run.encoding))
        parts.append(made)
        byte += size
        done = match.end()
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

"""Bytes to text in bounded blocks, each with the runs that lead back to the bytes."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from casemate.core.text import Chunk, Piece
from casemate.stages.ingest.reader import Intake

ESCAPED = re.compile("[\udc80-\udcff]+")  # bytes that `surrogateescape` could not decode
SURROGATES = re.compile("[\ud800-\udfff]+")  # halves of a pair left over in UTF-16
BREAKS = re.compile(rb"[\s,;|&<>\"'(){}\[\]]")
BAD_RUNS_PER_BLOCK = 4096  # more than that in a block: it is no UTF-8, and Latin-1 loses nothing
BACK_BYTES = 65536  # how far from the end of a block a place to cut is looked for
ESCAPE_BYTES = 12  # `\ud83d\ude00`: never cut inside
BACK_SLASHES = 64  # that are counted before one, to know whether it begins an escape
HIGH_HALF = re.compile(rb"\\u[dD][89abAB]")
REPLACEMENT = "\ufffd"


class Run(NamedTuple):
    """A `Piece` before it has a start: `length` characters made from `size` bytes at `byte`, on `line`."""

    length: int
    byte: int
    size: int
    line: int
    verbatim: bool = True
    encoding: str = "utf-8"
    note: str = ""


class Block(NamedTuple):
    """Decoded text, the runs that cover it, and how many bytes could not be decoded."""

    text: str
    runs: tuple[Run, ...]
    bad: int = 0


def make_chunk(part: int, start: int, block: Block) -> Chunk:
    """Place a block at offset `start` of the normalised text."""
    pieces = []
    offset = start
    for length, byte, size, line, verbatim, encoding, note in block.runs:
        pieces.append(Piece(offset, length, byte, size, line, verbatim, encoding, note))
        offset += length
    return Chunk(part, start, block.text, tuple(pieces))


def read_blocks(intake: Intake) -> Iterator[Block]:
    """Decode the part in blocks of at most `chunk_chars` bytes, each cut after a line feed where there is one.

    In a longer line a block ends after white space or punctuation, else between two characters.
    """
    encoding = intake.head.encoding
    wide = encoding.startswith("utf-16")
    limit = max(intake.limits.chunk_chars, 4 * ESCAPE_BYTES) & ~1
    byte, line = intake.head.bom, 1
    intake.stream.read(byte)
    carry = b""
    while True:
        fresh = intake.stream.read(limit - len(carry))
        last = len(fresh) < limit - len(carry)
        data = carry + fresh if carry else fresh
        if not data:
            return
        cut = len(data) if last else _cut(data, wide=wide, little=encoding == "utf-16-le")
        whole, carry = data[:cut], data[cut:]
        block = decode_block(whole, encoding, byte, line)
        yield block
        byte += len(whole)
        line += block.text.count("\n")
        if last:
            return


def decode_block(data: bytes, encoding: str, byte: int, line: int) -> Block:
    """Decode `data`, which stands at `byte` and begins on `line`.

    What cannot be decoded becomes U+FFFD in a run that is not verbatim; a block that is full of it is Latin-1.
    """
    if encoding == "utf-8" and data.isascii():
        return Block(str(data, "ascii"), (Run(len(data), byte, len(data), line),))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        pass
    else:
        return Block(text, (Run(len(text), byte, len(data), line, encoding=encoding),))
    bad = ESCAPED
    if encoding.startswith("utf-16"):
        bad = SURROGATES
        text = data[: len(data) & ~1].decode(encoding, "surrogatepass") + "\ud800" * (len(data) % 2)
    else:
        text = data.decode(encoding, "surrogateescape")
    return _mark_bad(data, text, bad, encoding, byte, line)


def _mark_bad(data: bytes, text: str, bad: re.Pattern[str], encoding: str, byte: int, line: int) -> Block:
    runs: list[Run] = []
    parts: list[str] = []
    done = 0
    count = 0
    width = 2 if bad is SURROGATES else 1
    end = byte + len(data)
    for number, match in enumerate(bad.finditer(text)):
        if number >= BAD_RUNS_PER_BLOCK and width == 1:
            text = data.decode("latin-1")
            return Block(text, (Run(len(text), end - len(data), len(data), runs[0].line, encoding="latin-1"),))
        if match.start() > done:
            good = text[done : match.start()]
            size = len(good.encode(encoding))
            runs.append(Run(len(good), byte, size, line, encoding=encoding))
            parts.append(good)
            byte += size
            line += good.count("\n")
        length = match.end() - match.start()
        size = min(length * width, end - byte)
        runs.append(Run(length, byte, size, line, verbatim=False, encoding=encoding))
        parts.append(REPLACEMENT * length)
        byte += size
        count += size
        done = match.end()
    if done < len(text):
        runs.append(Run(len(text) - done, byte, end - byte, line, encoding=encoding))
        parts.append(text[done:])
    return Block("".join(parts), tuple(runs), count)


def _cut(data: bytes, *, wide: bool, little: bool) -> int:
    """Say after how many bytes a block is best cut: a line feed, white space, punctuation, a whole character."""
    if wide:
        return _cut_wide(data, little=little)
    if (feed := data.rfind(b"\n")) >= 0:
        return feed + 1
    floor = max(len(data) - BACK_BYTES, 1)
    cut = data.rfind(b" ", floor) + 1
    if not cut:
        cut = max((match.end() for match in BREAKS.finditer(data, floor)), default=len(data))
    while cut > 1 and len(data) - cut < 4 and (data[cut - 1] & 0xC0) in {0x80, 0xC0}:
        cut -= 1  # a character of UTF-8 may go on in the next block
    return _before_escape(data, cut)


def _before_escape(data: bytes, cut: int) -> int:
    """Move a cut that falls inside a JSON escape (or between the halves of a pair) to where the escape begins."""
    slash = data.rfind(b"\\", max(cut - ESCAPE_BYTES, 1), cut)
    before = data[max(slash - BACK_SLASHES, 0) : max(slash, 0)]
    if slash < 1 or (len(before) - len(before.rstrip(b"\\"))) % 2:
        return cut  # none near, or the second of two, which ends its escape
    if slash > 6 and HIGH_HALF.match(data, slash - 6):
        return slash - 6 if cut < slash + 6 else cut
    size = 12 if HIGH_HALF.match(data, slash) else 6 if data[slash + 1 : slash + 2] == b"u" else 2
    return slash if cut < slash + size else cut


def _cut_wide(data: bytes, *, little: bool) -> int:
    feed = b"\n\0" if little else b"\0\n"
    at = len(data)
    while (at := data.rfind(feed, 0, at)) >= 0:
        if at % 2 == 0:
            return at + 2
        at += 1
    cut = len(data) & ~1
    high = data[cut - 1 if little else cut - 2]
    return cut - 2 if 0xD8 <= high < 0xDC and cut > 2 else cut

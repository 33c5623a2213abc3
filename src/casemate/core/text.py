"""Normalised text and the way back from any span of it to the lines and bytes that were received."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from casemate.core.digest import Digest


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start` (inclusive) to `end` (exclusive) of the normalised text of one piece of evidence."""

    evidence: Digest
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of normalised text and the received bytes it came from.

    A *verbatim* piece is the decoding of its bytes in `encoding`, character by character, so every offset inside it has
    an exact byte and its line feeds are the line feeds received. A piece that is not verbatim was *made* from its bytes
    (a JSON escape undone, an HTML entity, a rendered EVTX record, a page of a PDF): all of it stands for all of them.

    `start` and `length` count characters of the normalised text, `start` from the beginning of the evidence; `byte` and
    `size` count bytes of what was received; `line` is the line (from 1) of the first byte; `note` says what a person
    would look for when lines mean little (`page 3`, `record 17`).
    """

    start: int
    length: int
    byte: int
    size: int
    line: int
    verbatim: bool = True
    encoding: str = "utf-8"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the normalised text, in order and without gaps: `text` begins at offset `start` of the whole.

    `pieces` cover exactly `start .. start + len(text)`, in order, without gaps. `part` is the number of the `Opened`
    this text belongs to. A chunk ends at a line end; in a line longer than a chunk, at white space or punctuation.
    """

    part: int
    start: int
    text: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span was in what was received: first line, bytes `byte` to `byte_end` (exclusive), and the note."""

    line: int
    byte: int
    byte_end: int
    note: str = ""


def _byte_at(piece: Piece, chunk: Chunk, offset: int) -> int:
    inside = offset - piece.start
    if piece.size == piece.length:
        return piece.byte + inside
    begin = piece.start - chunk.start
    return piece.byte + len(chunk.text[begin : begin + inside].encode(piece.encoding, "surrogatepass"))


def locate(chunk: Chunk, start: int, end: int) -> Place:
    """Lead characters `start..end` of the evidence, both inside `chunk`, back to the line and bytes received.

    Raises `ValueError` when the span is not inside the chunk.
    """
    if not chunk.start <= start <= end <= chunk.start + len(chunk.text):
        raise ValueError(f"span {start}..{end} is outside the chunk at {chunk.start} of length {len(chunk.text)}")
    if not chunk.pieces:
        return Place(1, 0, 0)
    first = _piece_at(chunk.pieces, start)
    last = _piece_at(chunk.pieces, max(end - 1, start))
    line, byte = first.line, first.byte
    if first.verbatim:
        line += chunk.text.count("\n", first.start - chunk.start, start - chunk.start)
        byte = _byte_at(first, chunk, start)
    byte_end = _byte_at(last, chunk, end) if last.verbatim else last.byte + last.size
    return Place(line, byte, max(byte, byte_end), first.note)


def _piece_at(pieces: Sequence[Piece], offset: int) -> Piece:
    return pieces[max(bisect_right(pieces, offset, key=lambda piece: piece.start) - 1, 0)]


class Texts(Protocol):
    """The normalised texts of a case, read back by whoever checks or shows a citation."""

    def slice(self, evidence: Digest, start: int, end: int) -> str:
        """Return those characters; shorter at the end of the text, empty when the evidence is unknown."""
        ...

    def place(self, evidence: Digest, start: int, end: int) -> Place:
        """Lead a span back to what was received; line 1 and byte 0 when the evidence is unknown."""
        ...

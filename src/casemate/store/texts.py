"""Normalised texts, read back by citation."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from casemate.core.digest import Digest
from casemate.core.text import Chunk, Place, locate
from casemate.store.database import Database
from casemate.store.packing import unpack
from casemate.store.pieces import pieces_from_json
from casemate.store.tables import chunks, text_names

CACHED_CHUNKS = 8
CACHED_TEXTS = 64

_NAMED = (
    select(text_names.c.edition, text_names.c.text)
    .where(text_names.c.evidence == bindparam("of_evidence"))
    .order_by(text_names.c.text)
)
_STARTS = select(chunks.c.start).where(chunks.c.text == bindparam("of_text")).order_by(chunks.c.start)
_CHUNK = select(chunks.c.body, chunks.c.pieces).where(
    chunks.c.text == bindparam("of_text"), chunks.c.start == bindparam("at")
)

Name = int | Digest
"""What a text is called: the number of its row, or its evidence while it is held and not stored."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of a normalised text: its number (from 1), where it begins, its text, and whether that was cut."""

    number: int
    start: int
    text: str
    cut: bool


class StoredTexts:
    """The texts of the store, as `core.text.Texts`: reads what a citation needs and keeps the last few chunks.

    `edition` picks among several texts of the same bytes (another version of the program may normalise otherwise);
    evidence that has none of that edition is read in its newest one. Texts in `held`, which are of that edition and
    not stored yet, are read there for as long as they are in it. Not for use by several threads at once.
    """

    def __init__(self, database: Database, edition: str, held: Mapping[Digest, Sequence[Chunk]] | None = None) -> None:
        self._database = database
        self._edition = edition
        self._held = {} if held is None else held
        self._starts: OrderedDict[Digest, tuple[int, list[int]]] = OrderedDict()
        self._chunks: OrderedDict[tuple[int, int], Chunk] = OrderedDict()

    def slice(self, evidence: Digest, start: int, end: int) -> str:
        """Return those characters; shorter at the end of the text, empty when the evidence is unknown."""
        start = max(start, 0)
        found = self._overlapping(evidence, start, end)
        return "".join(chunk.text[max(start - chunk.start, 0) : max(end - chunk.start, 0)] for chunk in found)

    def place(self, evidence: Digest, start: int, end: int) -> Place:
        """Lead a span back to what was received; line 1 and byte 0 when the evidence is unknown."""
        start = max(start, 0)
        found = self._overlapping(evidence, start, max(end, start + 1))
        if not found:
            return Place(1, 0, 0)
        first, last = found[0], found[-1]
        first_end = first.start + len(first.text)
        begins = locate(first, min(start, first_end), min(max(end, start), first_end))
        if last is first:
            return begins
        ends = locate(last, last.start, min(end, last.start + len(last.text)))
        return Place(begins.line, begins.byte, ends.byte_end, begins.note)

    def length(self, evidence: Digest) -> int:
        """Return the number of characters, 0 when the evidence is unknown or empty."""
        text, starts = self._index(evidence)
        if not starts:
            return 0
        last = self._chunk(text, starts[-1])
        return last.start + len(last.text)

    def chunks(self, evidence: Digest) -> Iterator[Chunk]:
        """Give the whole text as it was written, chunk by chunk; nothing when the evidence is unknown."""
        text, starts = self._index(evidence)
        for start in starts:
            yield self._chunk(text, start)

    def lines(self, evidence: Digest, first: int, count: int, most: int) -> tuple[TextLine, ...]:
        """Give `count` lines of the normalised text from line `first` (from 1) on, each cut at `most` characters."""
        text, starts = self._index(evidence)
        cutter = _Cutter(first, count, most)
        for start, feeds in self._feeds(text) if starts else ():
            if cutter.wants(feeds):
                cutter.take(start, self._chunk(text, start).text)
            if cutter.full:
                break
        return cutter.lines()

    def line_at(self, evidence: Digest, offset: int) -> int:
        """Give the number (from 1, as `lines` counts) of the line in which a character stands."""
        text, starts = self._index(evidence)
        last = max(bisect_right(starts, max(offset, 0)) - 1, 0)
        before = sum(feeds for _start, feeds in self._feeds(text)[:last]) if starts else 0
        if not starts:
            return 1
        return 1 + before + self._chunk(text, starts[last]).text.count("\n", 0, max(offset - starts[last], 0))

    def _feeds(self, text: Name) -> list[tuple[int, int]]:
        if isinstance(text, str):
            return [(chunk.start, chunk.text.count("\n")) for chunk in self._held[text]]
        with self._database.reading() as connection:
            rows = connection.execute(
                select(chunks.c.start, chunks.c.feeds).where(chunks.c.text == text).order_by(chunks.c.start)
            ).all()
        return [
            (row.start, self._chunk(text, row.start).text.count("\n") if row.feeds is None else row.feeds)
            for row in rows
        ]

    def _overlapping(self, evidence: Digest, start: int, end: int) -> list[Chunk]:
        text, starts = self._index(evidence)
        first = max(bisect_right(starts, start) - 1, 0)
        return [self._chunk(text, begin) for begin in starts[first:] if begin < end] if start < end else []

    def _index(self, evidence: Digest) -> tuple[Name, list[int]]:
        held = self._held.get(evidence)
        if held is not None:
            return evidence, [chunk.start for chunk in held]
        known = self._starts.get(evidence)
        if known is not None:
            self._starts.move_to_end(evidence)
            return known
        with self._database.reading() as connection:
            named = connection.execute(_NAMED, {"of_evidence": evidence}).all()
            if not named:
                return 0, []  # not remembered: it may be written later
            text = next((row.text for row in named if row.edition == self._edition), named[-1].text)
            starts = list(connection.execute(_STARTS, {"of_text": text}).scalars())
        self._starts[evidence] = (text, starts)
        if len(self._starts) > CACHED_TEXTS:
            self._starts.popitem(last=False)
        return text, starts

    def _chunk(self, text: Name, start: int) -> Chunk:
        if isinstance(text, str):
            held = self._held[text]
            return held[bisect_right(held, start, key=lambda chunk: chunk.start) - 1]
        known = self._chunks.get((text, start))
        if known is not None:
            self._chunks.move_to_end((text, start))
            return known
        with self._database.reading() as connection:
            row = connection.execute(_CHUNK, {"of_text": text, "at": start}).one()
        what = f"text {text} at {start}"
        body = unpack(row.body, what).decode("utf-8")
        chunk = Chunk(0, start, body, pieces_from_json(unpack(row.pieces, what), start))
        self._chunks[text, start] = chunk
        if len(self._chunks) > CACHED_CHUNKS:
            self._chunks.popitem(last=False)
        return chunk


class _Cutter:
    """Cuts a range of lines out of chunks that come in order; a chunk that holds none of them need not be read."""

    def __init__(self, first: int, count: int, most: int) -> None:
        self._first = first
        self._last = first + count - 1
        self._most = most
        self._number = 1  # of the line that the next character belongs to
        self._held: list[str] = []
        self._length = 0
        self._begin = 0
        self._found: list[TextLine] = []

    @property
    def full(self) -> bool:
        """Whether every line that was asked for is complete."""
        return self._number > self._last

    def wants(self, feeds: int) -> bool:
        """Say whether a chunk with so many line feeds is needed; one that is not is passed over."""
        if self._number + feeds >= self._first:
            return True
        self._number += feeds
        return False

    def take(self, start: int, body: str) -> None:
        """Take the lines of a chunk that begins at character `start`."""
        at = 0
        while not self.full:
            end = body.find("\n", at)
            if self._number >= self._first:
                self._add(start + at, body[at : end if end >= 0 else len(body)])
            if end < 0:
                return
            if self._number >= self._first:
                self._finish()
            self._number += 1
            at = end + 1

    def _add(self, start: int, text: str) -> None:
        if not self._held:
            self._begin = start
        self._held.append(text[: max(self._most - self._length, 0)])
        self._length += len(text)

    def _finish(self) -> None:
        self._found.append(TextLine(self._number, self._begin, "".join(self._held), self._length > self._most))
        self._held, self._length = [], 0

    def lines(self) -> tuple[TextLine, ...]:
        """Give what was found; the last line of a text need not end in a line feed."""
        if self._length:
            self._finish()
        return tuple(self._found)

"""Normalised texts: written in pieces while their evidence is still being read, read back by citation."""

import hashlib
import os
import socket
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from casemate.audit.chain import write_time
from casemate.core.digest import Digest
from casemate.core.evidence import Closed
from casemate.core.text import Chunk, Piece, Place, locate
from casemate.store.database import Database
from casemate.store.packing import encode, pack, storable, unpack
from casemate.store.processes import is_alive
from casemate.store.tables import chunks, text_names, texts

FLUSH_BYTES = 4 * 1024 * 1024  # of packed rows, held before they are written in one short transaction
FLUSH_CHUNKS = 64
CACHED_CHUNKS = 8
CACHED_TEXTS = 64
ABANDONED = timedelta(days=1)  # unfinished texts of a process on another host, which cannot be asked


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of a normalised text: its number (from 1), where it begins, its text, and whether that was cut."""

    number: int
    start: int
    text: str
    cut: bool


@dataclass(slots=True)
class _Part:
    """A part being written: its row in `texts` once there is one, its running digest, its next line."""

    text: int | None = None
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    evidence: Digest | None = None


class TextWriter:
    """Takes the chunks of one reading as they come and files each part under its digest once that is known.

    Use as a context manager. What is written before a part is closed is seen by nobody; a part never closed, and all
    of them when the block fails, is thrown away. A text that is there already (same evidence, same edition) stays.
    """

    def __init__(self, database: Database, reading: str, edition: str) -> None:
        self._database = database
        self._reading = storable(reading)
        self._edition = edition
        self._parts: dict[int, _Part] = {}
        self._waiting: list[tuple[_Part, dict[str, object]]] = []
        self._waiting_bytes = 0

    def write(self, chunk: Chunk) -> None:
        """Take the next chunk of a part; chunks of several parts may alternate."""
        part = self._parts.setdefault(chunk.part, _Part())
        body = encode(chunk.text)
        part.digest.update(body)
        packed, pieces = pack(body), pack(_pieces_to_json(chunk.pieces))
        row = {
            "start": chunk.start,
            "length": len(chunk.text),
            "line": chunk.pieces[0].line if chunk.pieces else 1,
            "feeds": chunk.text.count("\n"),
            "body": packed,
            "pieces": pieces,
        }
        self._waiting.append((part, row))
        self._waiting_bytes += len(packed) + len(pieces)
        if self._waiting_bytes >= FLUSH_BYTES or len(self._waiting) >= FLUSH_CHUNKS:
            self._flush()

    def close(self, closed: Closed) -> None:
        """Say that a part is complete and what its bytes were: from the next flush on it can be read."""
        part = self._parts.get(closed.part)
        if part is not None:
            part.evidence = closed.id

    def __enter__(self) -> Self:
        with self._database.writing() as connection:
            clear_abandoned(connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        rows = [part.text for part in self._parts.values() if part.text is not None]
        self._parts, self._waiting = {}, []
        if rows:
            with self._database.writing() as connection:
                _discard(connection, rows)

    def _flush(self) -> None:
        with self._database.writing() as connection:
            for part, _row in self._waiting:
                if part.text is None:
                    part.text = self._begin(connection)
            if self._waiting:
                connection.execute(insert(chunks), [{"text": part.text, **row} for part, row in self._waiting])
            for number, part in list(self._parts.items()):
                if part.evidence is not None:
                    self._publish(connection, part)
                    del self._parts[number]
        self._waiting, self._waiting_bytes = [], 0

    def _begin(self, connection: Connection) -> int:
        row = {
            "reading": self._reading,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "begun": write_time(datetime.now(UTC)),
        }
        key = connection.execute(insert(texts).values(row)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _publish(self, connection: Connection, part: _Part) -> None:
        assert part.text is not None
        there = dict(
            connection.execute(
                select(text_names.c.edition, text_names.c.text).where(text_names.c.evidence == part.evidence)
            ).all()
        )
        if self._edition in there:
            _discard(connection, [part.text])
            return
        digest = part.digest.hexdigest()
        same = connection.execute(
            select(texts.c.id).where(texts.c.id.in_(there.values()), texts.c.digest == digest)
        ).scalar()
        if same is None:
            connection.execute(update(texts).where(texts.c.id == part.text).values(digest=digest))
        else:
            _discard(connection, [part.text])
        name = {"evidence": part.evidence, "edition": self._edition, "text": part.text if same is None else same}
        connection.execute(insert(text_names).values(name))


def clear_abandoned(connection: Connection) -> None:
    """Throw away unfinished texts whose writer is dead: on this host as the system says, elsewhere after a day."""
    old = write_time(datetime.now(UTC) - ABANDONED)
    rows = connection.execute(
        select(texts.c.id, texts.c.host, texts.c.process, texts.c.begun).where(texts.c.digest.is_(None))
    ).all()
    here = socket.gethostname()
    dead = [row.id for row in rows if (not is_alive(row.process) if row.host == here else row.begun < old)]
    _discard(connection, dead)


def _discard(connection: Connection, rows: Sequence[int]) -> None:
    for row in rows:
        connection.execute(delete(chunks).where(chunks.c.text == row))
        connection.execute(delete(texts).where(texts.c.id == row))


class StoredTexts:
    """The texts of the store, as `core.text.Texts`: reads what a citation needs and keeps the last few chunks.

    `edition` picks among several texts of the same bytes (another version of the program may normalise otherwise);
    evidence that has none of that edition is read in its newest one. Not for use by several threads at once.
    """

    def __init__(self, database: Database, edition: str) -> None:
        self._database = database
        self._edition = edition
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

    def _feeds(self, text: int) -> list[tuple[int, int]]:
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

    def _index(self, evidence: Digest) -> tuple[int, list[int]]:
        known = self._starts.get(evidence)
        if known is not None:
            self._starts.move_to_end(evidence)
            return known
        with self._database.reading() as connection:
            named = connection.execute(
                select(text_names.c.edition, text_names.c.text)
                .where(text_names.c.evidence == evidence)
                .order_by(text_names.c.text)
            ).all()
            if not named:
                return 0, []  # not remembered: it may be written later
            text = next((row.text for row in named if row.edition == self._edition), named[-1].text)
            starts = list(
                connection.execute(select(chunks.c.start).where(chunks.c.text == text).order_by(chunks.c.start))
                .scalars()
                .all()
            )
        self._starts[evidence] = (text, starts)
        if len(self._starts) > CACHED_TEXTS:
            self._starts.popitem(last=False)
        return text, starts

    def _chunk(self, text: int, start: int) -> Chunk:
        known = self._chunks.get((text, start))
        if known is not None:
            self._chunks.move_to_end((text, start))
            return known
        with self._database.reading() as connection:
            row = connection.execute(
                select(chunks.c.body, chunks.c.pieces).where(chunks.c.text == text, chunks.c.start == start)
            ).one()
        what = f"text {text} at {start}"
        body = unpack(row.body, what).decode("utf-8")
        chunk = Chunk(0, start, body, _pieces_from_json(unpack(row.pieces, what), start))
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


def _pieces_to_json(pieces: Sequence[Piece]) -> bytes:
    # [length, byte, size, line] and, where they are not the usual, verbatim, encoding and note: pieces follow each
    # other without a gap, so `start` need not be said.
    rows: list[list[object]] = []
    for piece in pieces:
        row: list[object] = [piece.length, piece.byte, piece.size, piece.line]
        if not piece.verbatim or piece.encoding != "utf-8" or piece.note:
            row += [piece.verbatim, piece.encoding, storable(piece.note)]
        rows.append(row)
    return orjson.dumps(rows)


def _pieces_from_json(data: bytes, start: int) -> tuple[Piece, ...]:
    pieces = []
    for row in orjson.loads(data):
        pieces.append(Piece(start, *row))
        start += row[0]
    return tuple(pieces)

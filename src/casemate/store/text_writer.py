"""Texts as they are written: held back while they are small, in pieces while their evidence is still being read."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from casemate.audit.chain import write_time
from casemate.core.digest import Digest
from casemate.core.evidence import Closed
from casemate.core.text import Chunk
from casemate.store.database import Database
from casemate.store.packing import encode, pack, storable
from casemate.store.pieces import pieces_to_json
from casemate.store.processes import host_name, is_alive
from casemate.store.tables import chunks, text_names, texts

FLUSH_BYTES = 4 * 1024 * 1024  # of packed rows, gathered before they are written in one short transaction
FLUSH_CHUNKS = 64
HELD_CHARS = 4 * 1024 * 1024  # of the texts of one reading, as long as they may be held to be stored with its case
ABANDONED = timedelta(days=1)  # unfinished texts of a process on another host, which cannot be asked

_NEW_TEXT = insert(texts)
_NEW_CHUNKS = insert(chunks)
_NEW_NAME = insert(text_names)
_NAMED = select(text_names.c.edition, text_names.c.text).where(text_names.c.evidence == bindparam("of_evidence"))
_SAME = select(texts.c.id).where(texts.c.id.in_(bindparam("ids", expanding=True)), texts.c.digest == bindparam("whole"))
_UNFINISHED = select(texts.c.id, texts.c.host, texts.c.process, texts.c.begun).where(texts.c.digest.is_(None))


@dataclass(frozen=True, slots=True)
class WholeText:
    """A complete text that is not stored yet: its rows, and its chunks as they will be read back."""

    evidence: Digest
    digest: str
    rows: tuple[dict[str, object], ...]
    chunks: tuple[Chunk, ...]


class Holder(Protocol):
    """Stores small texts later, together with what was read from them."""

    def hold_texts(self, reading: str, whole: Sequence[WholeText]) -> None:
        """Take the texts of a reading, which are of the holder's edition."""

    def store(self) -> None:
        """Store what is held: a reading turned out to be too large to be held."""


@dataclass(slots=True)
class _Part:
    """A part being written: its row in `texts` once there is one, its running digest, what is not stored yet."""

    text: int | None = None
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    evidence: Digest | None = None
    rows: list[dict[str, object]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)


class TextWriter:
    """Takes the chunks of one reading as they come and files each part under its digest once that is known.

    Use as a context manager. What is written before a part is closed is seen by nobody; a part never closed, and all
    of them when the block fails, is thrown away. A text that is there already (same evidence, same edition) stays.
    With `holder` the texts of a small reading are not stored but handed over, at the end.
    """

    def __init__(self, database: Database, reading: str, edition: str, holder: Holder | None = None) -> None:
        self._database = database
        self._reading = storable(reading)
        self._edition = edition
        self._holder = holder
        self._parts: dict[int, _Part] = {}
        self._waiting_bytes = self._waiting_chunks = self._chars = 0

    def write(self, chunk: Chunk) -> None:
        """Take the next chunk of a part; chunks of several parts may alternate."""
        part = self._parts.setdefault(chunk.part, _Part())
        body = encode(chunk.text)
        part.digest.update(body)
        pieces = tuple(replace(one, note=storable(one.note)) if one.note else one for one in chunk.pieces)
        packed, packed_pieces = pack(body), pack(pieces_to_json(pieces))
        row: dict[str, object] = {
            "start": chunk.start,
            "length": len(chunk.text),
            "line": chunk.pieces[0].line if chunk.pieces else 1,
            "feeds": chunk.text.count("\n"),
            "body": packed,
            "pieces": packed_pieces,
        }
        part.rows.append(row)
        if self._holder is not None:
            part.chunks.append(Chunk(0, chunk.start, body.decode("utf-8"), pieces))
        self._waiting_chunks += 1
        self._waiting_bytes += len(packed) + len(packed_pieces)
        self._chars += len(chunk.text)
        held_too_long = self._holder is not None and self._chars > HELD_CHARS
        if held_too_long or self._waiting_bytes >= FLUSH_BYTES or self._waiting_chunks >= FLUSH_CHUNKS:
            self._flush()

    def close(self, closed: Closed) -> None:
        """Say that a part is complete and what its bytes were: from the next flush on it can be read."""
        part = self._parts.get(closed.part)
        if part is not None:
            part.evidence = closed.id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._end()
        rows = [part.text for part in self._parts.values() if part.text is not None]
        self._parts = {}
        if rows:
            with self._database.writing() as connection:
                _discard(connection, rows)

    def _end(self) -> None:
        if any(part.text is not None for part in self._parts.values()):
            self._flush()
            return
        whole = [
            WholeText(part.evidence, part.digest.hexdigest(), tuple(part.rows), tuple(part.chunks))
            for part in self._parts.values()
            if part.evidence is not None
        ]
        if self._holder is not None:
            self._holder.hold_texts(self._reading, whole)
        elif whole:
            with self._database.writing() as connection:
                put_texts(connection, self._reading, self._edition, whole)

    def _flush(self) -> None:
        if self._holder is not None:
            self._holder.store()
            self._holder = None
        begun: dict[int, int] = {}
        with self._database.writing() as connection:
            clear_abandoned(connection)
            for number, part in self._parts.items():
                text = begun[number] = part.text or _begin(connection, self._reading, None)
                if part.rows:
                    connection.execute(_NEW_CHUNKS, [{"text": text, **row} for row in part.rows])
                if part.evidence is not None:
                    self._publish(connection, text, part.evidence, part.digest.hexdigest())
        # Known after the commit only: what an undone transaction called its row may be another's row by now.
        self._parts = {number: part for number, part in self._parts.items() if part.evidence is None}
        for number, part in self._parts.items():
            part.text, part.rows, part.chunks = begun[number], [], []
        self._waiting_bytes = self._waiting_chunks = 0

    def _publish(self, connection: Connection, text: int, evidence: Digest, digest: str) -> None:
        there = _editions(connection, evidence)
        if self._edition in there:
            _discard(connection, [text])
            return
        same = _same_text(connection, there, digest)
        if same is None:
            connection.execute(update(texts).where(texts.c.id == text).values(digest=digest))
        else:
            _discard(connection, [text])
        name = {"evidence": evidence, "edition": self._edition, "text": text if same is None else same}
        connection.execute(_NEW_NAME, name)


def put_texts(connection: Connection, reading: str, edition: str, whole: Sequence[WholeText]) -> None:
    """Store complete texts; one that is there already (same evidence, same edition) stays."""
    for one in whole:
        there = _editions(connection, one.evidence)
        if edition in there:
            continue
        text = _same_text(connection, there, one.digest)
        if text is None:
            text = _begin(connection, reading, one.digest)
            if one.rows:
                connection.execute(_NEW_CHUNKS, [{"text": text, **row} for row in one.rows])
        connection.execute(_NEW_NAME, {"evidence": one.evidence, "edition": edition, "text": text})


def _begin(connection: Connection, reading: str, digest: str | None) -> int:
    row = {
        "reading": reading,
        "host": host_name(),
        "process": os.getpid(),
        "begun": write_time(datetime.now(UTC)),
        "digest": digest,
    }
    key = connection.execute(_NEW_TEXT, row).inserted_primary_key
    assert key is not None
    return int(key[0])


def _editions(connection: Connection, evidence: Digest) -> dict[str, int]:
    return {row.edition: row.text for row in connection.execute(_NAMED, {"of_evidence": evidence})}


def _same_text(connection: Connection, there: dict[str, int], digest: str) -> int | None:
    if not there:
        return None
    found = connection.execute(_SAME, {"ids": list(there.values()), "whole": digest}).scalar()
    return None if found is None else int(found)


def clear_abandoned(connection: Connection) -> None:
    """Throw away unfinished texts whose writer is dead: on this host as the system says, elsewhere after a day."""
    _discard(connection, _dead_texts(connection))


def clear_if_abandoned(database: Database) -> None:
    """Do the same, without the write lock when there is nothing to throw away."""
    with database.reading() as connection:
        dead = _dead_texts(connection)
    if dead:
        with database.writing() as connection:
            clear_abandoned(connection)


def _dead_texts(connection: Connection) -> list[int]:
    old = write_time(datetime.now(UTC) - ABANDONED)
    here = host_name()
    rows = connection.execute(_UNFINISHED).all()
    return [row.id for row in rows if (not is_alive(row.process) if row.host == here else row.begun < old)]


def _discard(connection: Connection, rows: Sequence[int]) -> None:
    for row in rows:
        connection.execute(delete(chunks).where(chunks.c.text == row))
        connection.execute(delete(texts).where(texts.c.id == row))

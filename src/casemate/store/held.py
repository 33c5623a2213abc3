"""What a run came to and is not stored yet: small things are stored together, with the case, in its transaction."""

import time
from collections.abc import Callable, Sequence

from casemate.audit import NewAuditEvent
from casemate.core.digest import Digest, digest_bytes
from casemate.core.text import Chunk
from casemate.store.ledger import Change, Ledger
from casemate.store.readings import get_reading, put_original, put_reading
from casemate.store.runs import begin_run
from casemate.store.text_writer import TextWriter, WholeText, put_texts
from casemate.store.texts import StoredTexts

HELD_BYTES = 4 * 1024 * 1024
HELD_SECONDS = 1.0
"""A run that is killed has at most so many bytes, and so much time, of finished work to do again."""

Step = Callable[[Change], object]


class Held:
    """The finished steps of one run that wait to be stored, in their order: all of them or none, in one transaction.

    `edition` is that of the texts. The steps are stored with the case (`Store.save_case`), or before it when they have
    become many or old. Until then `texts` reads what is held as if it were stored. Not for use by several threads.
    """

    def __init__(self, ledger: Ledger, original_bytes: int, edition: Digest) -> None:
        self.edition = edition
        self._ledger = ledger
        self._original_bytes = original_bytes
        self._steps: list[Step] = []
        self._texts: dict[Digest, Sequence[Chunk]] = {}
        self._bytes = 0
        self._since = time.monotonic()

    def begin_run(self, key: str, inputs: Sequence[str], event: NewAuditEvent) -> None:
        """Begin a run, unless it was begun before."""
        self._hold(lambda change: begin_run(change, key, inputs, event), 0)

    def reading(self, key: str) -> bytes | None:
        """Return what an earlier run read under this key and stored."""
        with self._ledger.database.reading() as connection:
            return get_reading(connection, key)

    def write_texts(self, reading: str) -> TextWriter:
        """Take the chunks of one reading, as a context manager; what is too large to be held is stored as it comes."""
        return TextWriter(self._ledger.database, reading, self.edition, self)

    def hold_texts(self, reading: str, whole: Sequence[WholeText]) -> None:
        """Take the texts of a reading."""
        for one in whole:
            self._texts.setdefault(one.evidence, one.chunks)
        size = sum(len(chunk.text) for one in whole for chunk in one.chunks)
        self._hold(lambda change: put_texts(change.connection, reading, self.edition, whole), size)

    def put_original(self, data: bytes) -> None:
        """Keep an original as it was received, unless it is larger than `limits.original_bytes`."""
        if len(data) <= self._original_bytes:
            digest = digest_bytes(data)
            self._hold(lambda change: put_original(change.connection, digest, data), len(data))

    def save_reading(self, key: str, data: bytes, event: NewAuditEvent, run: str, source: str) -> None:
        """Keep what reading the input `source` of a run came to; what was kept before under the key stays."""
        self._hold(lambda change: put_reading(change, key, data, event, run, source), len(data))

    def texts(self) -> StoredTexts:
        """Give the texts as citations need them: those that are held, and those that are stored."""
        return StoredTexts(self._ledger.database, self.edition, self._texts)

    def store(self) -> None:
        """Store what is held, before something that takes long."""
        if self._steps:
            with self._ledger.changing() as change:
                self.write(change)
        self.forget()

    def write(self, change: Change) -> None:
        """Take the steps in the caller's transaction; once that has ended they are to be forgotten."""
        for step in self._steps:
            step(change)

    def forget(self) -> None:
        """Hold nothing: it is stored."""
        self._steps.clear()
        self._texts.clear()
        self._bytes = 0
        self._since = time.monotonic()

    def _hold(self, step: Step, size: int) -> None:
        self._steps.append(step)
        self._bytes += size
        if self._bytes > HELD_BYTES or time.monotonic() - self._since > HELD_SECONDS:
            self.store()

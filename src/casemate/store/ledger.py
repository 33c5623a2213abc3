"""Transactions that change state, each with the audit events that tell of it and a signed checkpoint."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from casemate.audit import GENESIS, Checkpoint, NewAuditEvent, Seal
from casemate.audit.checkpoint import KEY_FILE, signature_holds
from casemate.core.audit import AuditEvent
from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted, StoreFailed
from casemate.store import chain
from casemate.store.database import Database

COPY_THE_KEY = (
    "copy `key` and `key.pub` from the `audit` folder of another host of this site (docs/howto/several-hosts.md)"
)


class Change:
    """A transaction that changes state, and the audit events that tell of it."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.told: list[AuditEvent] = []

    def tell(self, event: NewAuditEvent, name: str = "", content: Digest | None = None) -> AuditEvent:
        """Link the event, with the digest of what was stored under `name`; it is stored at the end, with the others."""
        body = event.body if content is None else (*event.body, (name, content))
        last = self.told[-1] if self.told else None
        self.told.append(chain.link_next(self.connection, last, dataclasses.replace(event, body=body), self.now))
        return self.told[-1]


def open_seal(database: Database, folder: Path) -> Seal:
    """Open the signing key in `folder`, or make it; not where other hosts sign this database with another already."""
    if database.kind.shared and not (folder / KEY_FILE).exists():
        with database.reading() as connection:
            begun = chain.head_of(connection) not in (None, (0, GENESIS))
        if begun:
            raise NotTrusted(
                f"{folder} holds no key, and the audit chain of {database.kind.name} is signed already",
                way_out=COPY_THE_KEY,
            )
    return Seal.open(folder)


class Ledger:
    """The database together with the seal of its audit chain and the clock; every room of the store writes by it."""

    def __init__(self, database: Database, seal: Seal, chain_name: str, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.seal = seal
        self.chain_name = chain_name
        self.clock = clock
        self.behind: StoreFailed | None = None
        self._same_key = not database.kind.shared  # a file is signed by the one host that has it

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """Give a writing transaction; if it tells something, a checkpoint is signed in it and written out after it.

        The checkpoint is kept beside the chain in any case. When the file cannot be written, what was asked for is done
        all the same; `behind` says why the file lacks its checkpoint, until a later one or `catch_up` is written.
        """
        with self.database.writing() as connection:
            change = Change(connection, self.clock())
            yield change
            checkpoint = None
            if change.told:
                self._check_key(connection)
                checkpoint = self.seal.sign(self.chain_name, change.told[-1])
                chain.append(connection, change.told, checkpoint)
        if checkpoint is not None:
            # After the commit: a checkpoint must never speak of an event that is not there.
            self._write_out(self.seal.write, checkpoint)

    def _check_key(self, connection: Connection) -> None:
        # Under the write lock: two hosts that begin with an empty database at once cannot both sign with a new key.
        if self._same_key:
            return
        kept = chain.stored_checkpoints(connection, [], last=True)
        if kept and not signature_holds(kept[0], self.seal.public_key):
            raise NotTrusted(
                f"the key in {self.seal.folder} is not the one that signs the audit chain of {self.database.kind.name}",
                way_out=COPY_THE_KEY,
            )
        self._same_key = True

    def _write_out(self, write: Callable[[Checkpoint], None], checkpoint: Checkpoint) -> None:
        try:
            write(checkpoint)
        except StoreFailed as error:
            self.behind = error
        else:
            self.behind = None

    def catch_up(self) -> None:
        """Write the checkpoint that a killed process, or a file that could not be written, left unwritten."""
        checkpoint = self._last()
        if checkpoint is not None:
            self._write_out(self.seal.catch_up, checkpoint)

    def look_behind(self) -> None:
        """See, without writing, whether the file ends with the last checkpoint."""
        checkpoint = self._last()
        if checkpoint is None or self.database.kind.shared:
            return  # of several hosts only the one that stored last has the last checkpoint
        try:
            if not self.seal.has(checkpoint):
                self.behind = StoreFailed(
                    f"checkpoints {self.seal.file}: the last one, of event {checkpoint.number}, is not in it",
                    way_out="nothing is lost: whatever is stored next, or opens the store, writes it",
                )
        except StoreFailed as error:
            self.behind = error

    def _last(self) -> Checkpoint | None:
        with self.database.reading() as connection:
            head = chain.head_of(connection)
            kept = chain.stored_checkpoints(connection, [], last=True)
        # A database that was set aside under another name speaks of the chain that goes on without it: not of its own.
        mine = kept and kept[0].chain == self.chain_name and head == (kept[0].number, kept[0].digest)
        return kept[0] if mine else None

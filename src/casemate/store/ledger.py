"""Transactions that change state, each with the audit events that tell of it and a signed checkpoint."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection

from casemate.audit import NewAuditEvent, Seal
from casemate.core.audit import AuditEvent
from casemate.core.digest import Digest
from casemate.store import chain
from casemate.store.database import Database


class Change:
    """A transaction that changes state, and the audit events that tell of it."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.last: AuditEvent | None = None

    def tell(self, event: NewAuditEvent, name: str = "", content: Digest | None = None) -> AuditEvent:
        """Append the event, with the digest of what was stored under `name`, to the chain."""
        body = event.body if content is None else (*event.body, (name, content))
        self.last = chain.append(self.connection, dataclasses.replace(event, body=body), self.now)
        return self.last


class Ledger:
    """The database together with the seal of its audit chain and the clock; every room of the store writes by it."""

    def __init__(self, database: Database, seal: Seal, chain_name: str, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.seal = seal
        self.chain_name = chain_name
        self.clock = clock

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """Give a writing transaction; if it tells something, a checkpoint is signed in it and written out after it."""
        with self.database.writing() as connection:
            change = Change(connection, self.clock())
            yield change
            checkpoint = None
            if change.last is not None:
                checkpoint = self.seal.sign(self.chain_name, change.last)
                chain.keep_checkpoint(connection, checkpoint)
        if checkpoint is not None:
            # After the commit: a checkpoint must never speak of an event that is not there.
            self.seal.write(checkpoint)

    def catch_up(self) -> None:
        """Write the checkpoint that a process killed between its commit and its checkpoint left unwritten."""
        with self.database.reading() as connection:
            head = chain.head_of(connection)
            kept = chain.stored_checkpoints(connection, [], last=True)
        if kept and head == (kept[0].number, kept[0].digest):
            self.seal.catch_up(kept[0])

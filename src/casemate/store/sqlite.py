"""What is SQLite's own: one file in WAL mode, its write lock, and what its failures mean."""

import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from casemate.core.errors import RecordFailed, StoreFailed, WrongUsage
from casemate.store.handout import Handout, LeaseTable

_WAYS_OUT = {
    "SQLITE_FULL": "make room on the disk and run the same command again; nothing half-done was kept",
    "SQLITE_BUSY": "another process is writing; wait for it and run the same command again",
    "SQLITE_LOCKED": "another process is writing; wait for it and run the same command again",
    "SQLITE_CORRUPT": "bring the file back from a backup; `sqlite3 FILE .recover` may save what is left",
    "SQLITE_NOTADB": "this file is no casemate database: name another one",
    "SQLITE_READONLY": "make the file and its folder writable",
    "SQLITE_CANTOPEN": "check that the folder exists and may be written to",
    "SQLITE_PERM": "make the file and its folder readable and writable",
    "SQLITE_IOERR": "check the disk, and that there is room on it, and run the same command again",
}

_OF_A_RECORD = ("SQLITE_CORRUPT", "SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE")
"""What fails because of the rows at hand; with other rows the file may serve."""


class Sqlite:
    """One file, for the processes of one host.

    It runs in WAL mode, so readers do not wait for a writer; `synchronous=FULL`, so that a commit survives a power
    cut: a checkpoint that is on the disk must not speak of an event that is not.
    """

    shared = False
    reading: Mapping[str, Any] = {}
    failures: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, url: URL, wait_seconds: float) -> None:
        if not url.database or url.database == ":memory:":
            raise WrongUsage("the store must be a file: sqlite:///PATH", way_out="give sqlite:///PATH")
        self._url = url
        self._wait_seconds = wait_seconds
        self.path = Path(url.database)
        self.name = str(self.path)
        self.chain = self.path.name
        self.audit = self.path.parent / "audit"

    def is_there(self) -> bool:
        """Look for the file."""
        return self.path.is_file()

    def connect(self, *, read_only: bool) -> Engine:
        """Make the file, if there is none, and put it into WAL mode; change nothing when it is only read."""
        engine = create_engine(self._url, hide_parameters=True)
        event.listen(engine, "connect", self._prepare)
        if read_only:
            event.listen(engine, "connect", _refuse_changes)
        else:
            self._make_file()
            self._use_wal(engine)
        return engine

    def begin(self, connection: Connection) -> None:
        """Begin a transaction, a writing one with the write lock."""
        writes = connection.get_execution_options().get("casemate_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def is_ready(self, connection: Connection) -> bool:  # noqa: ARG002 - the port's signature
        """Need nothing beside the tables."""
        return True

    def make_ready(self, connection: Connection) -> None:
        """Make nothing."""

    def keep(self, engine: Engine, layout: int) -> None:
        """Copy the file to `NAME.layout-N` beside it; the way back to the program that made it."""
        kept = self.path.with_name(f"{self.path.name}.layout-{layout}")
        part = kept.with_name(kept.name + ".part")
        try:
            part.unlink(missing_ok=True)
            self.copy(engine, part)
            part.replace(kept)
        except OSError as error:
            raise StoreFailed(
                f"store {self.path}: no copy could be kept before its layout is changed: {error.strerror}",
                way_out="make room for a second copy of the file, or write access to its folder; nothing was changed",
            ) from error

    def copy(self, engine: Engine, target: Path) -> None:
        """Copy the file by SQLite's own backup: one state of it, while others read and write."""
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with engine.connect() as connection, closing(sqlite3.connect(target)) as copy:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.backup(copy)  # in one step: a writer between two steps would make it begin again
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it

    def make_handout(self, lease_seconds: float) -> Handout:
        """Lease jobs in their own table."""
        return LeaseTable(lease_seconds)

    def explain(self, error: Exception) -> StoreFailed:
        """Name the file, what SQLite says, and what to do."""
        name = getattr(error, "sqlite_errorname", "") or ""
        kind = "_".join(name.split("_")[:2])
        failed = RecordFailed if kind in _OF_A_RECORD else StoreFailed
        return failed(f"store {self.name}: {error}", way_out=_WAYS_OUT.get(kind, "see docs/store.md"))

    def _make_file(self) -> None:
        # Made before SQLite does, so that evidence is readable by its owner only; the WAL takes over the file's mode.
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreFailed(
                f"store {self.path}: {error.strerror}", way_out="check that the folder exists and may be written to"
            ) from error

    def _prepare(self, connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # transactions begin where we say, see `begin`
        connection.execute(f"PRAGMA busy_timeout = {int(self._wait_seconds * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")

    def _use_wal(self, engine: Engine) -> None:
        # WAL is a property of the file and needs the file alone for a moment, for which SQLite does not wait.
        deadline = time.monotonic() + self._wait_seconds
        mode = ""
        while not mode:
            try:
                with engine.connect() as connection:
                    raw = connection.connection.driver_connection
                    assert raw is not None
                    mode = raw.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            except sqlite3.DatabaseError as error:
                if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _refuse_changes(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA query_only = ON")

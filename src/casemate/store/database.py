"""The connection to the database: its settings, its transactions, and what its failures mean."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from casemate.core.errors import StoreFailed, WrongUsage
from casemate.store.migrations import is_newest, migrate

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


class Database:
    """One database and its two kinds of transaction: `reading` sees one state, `writing` is alone and all or nothing.

    SQLite runs in WAL mode, so readers do not wait for a writer; `synchronous=FULL`, so that a commit survives a power
    cut: a checkpoint that is on the disk must not speak of an event that is not (docs/adr/0007-store-and-audit.md).
    """

    def __init__(self, url: str, wait_seconds: float, *, read_only: bool = False) -> None:
        parsed = _parse(url)
        self.path = Path(parsed.database or "")
        self._wait_seconds = wait_seconds
        self.read_only = read_only
        if not read_only:
            self._make_file()
        self._engine = create_engine(parsed)
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", _begin)
        if not read_only:
            self._use_wal()
        with self.reading() as connection:
            ready = is_newest(connection)
        if not ready:
            with self.writing() as connection:
                migrate(connection)

    @classmethod
    def open_to_read(cls, url: str, wait_seconds: float) -> "Database | None":
        """Open a database that is there and refuse every change of it; None when there is none."""
        parsed = _parse(url)
        return cls(url, wait_seconds, read_only=True) if Path(parsed.database or "").is_file() else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout."""
        with self._explained(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection that is the only one writing; commit at the end, or undo everything when it fails.

        `StoreFailed` when the database was opened to read: its layout is older than the program's, or a caller erred.
        """
        if self.read_only:
            raise StoreFailed(
                f"store {self.path}: it was opened to read, and this would change it",
                way_out="if its layout is older than this casemate, back it up and run `casemate case list` once",
            )
        # The write lock is taken at BEGIN: two processes that read the head of the audit chain and then append to it
        # would otherwise fork the chain, or fail half-way.
        marked = self._engine.execution_options(casemate_writes=True)
        with self._explained(), marked.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

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
        connection.isolation_level = None  # transactions begin where we say, see _begin
        connection.execute(f"PRAGMA busy_timeout = {int(self._wait_seconds * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        if self.read_only:
            connection.execute("PRAGMA query_only = ON")

    def _use_wal(self) -> None:
        # WAL is a property of the file and needs the file alone for a moment, for which SQLite does not wait.
        deadline = time.monotonic() + self._wait_seconds
        mode = ""
        while not mode:
            try:
                with self._explained(), self._engine.connect() as connection:
                    raw = connection.connection.driver_connection
                    assert raw is not None
                    mode = raw.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            except sqlite3.DatabaseError as error:
                if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise self._failure(error) from error
                time.sleep(0.02)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None)
            raise self._failure(cause if isinstance(cause, sqlite3.Error) else error) from error

    def _failure(self, error: Exception) -> StoreFailed:
        name = getattr(error, "sqlite_errorname", "") or ""
        kind = "_".join(name.split("_")[:2])
        return StoreFailed(f"store {self.path}: {error}", way_out=_WAYS_OUT.get(kind, "see docs/store.md"))


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise WrongUsage(f"store {url!r} is no database URL", way_out="give sqlite:///PATH") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise WrongUsage("the store must be a file: sqlite:///PATH", way_out="give sqlite:///PATH")
    return parsed


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("casemate_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

"""The connection to the database: its two kinds of transaction; what differs by kind stands in a file a kind."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, MultipleResultsFound, NoResultFound, SQLAlchemyError

from casemate.core.errors import RecordFailed, StoreFailed, WrongUsage
from casemate.store.handout import Handout
from casemate.store.migrations import STEPS, is_newest, layout_of, migrate
from casemate.store.postgres import Postgres
from casemate.store.sqlite import Sqlite

_DAMAGED = "run `casemate audit verify`, and bring the store back from a backup"
WAY_OUT = "give sqlite:///PATH or postgresql://USER@HOST/DATABASE"


class Kind(Protocol):
    """What one kind of database does in its own way."""

    name: str
    """How messages call the database; never its password."""

    chain: str
    """What its audit chain is called in checkpoints."""

    audit: Path
    """The folder of the signing key and the checkpoints, unless another is named."""

    shared: bool
    """Whether several hosts may use it, each with an audit folder of its own."""

    reading: Mapping[str, Any]
    """Execution options of a transaction that only reads."""

    failures: tuple[type[Exception], ...]
    """What the driver raises beside SQLAlchemy's errors."""

    def is_there(self) -> bool:
        """Say whether there is something to read, as far as can be told without opening it."""

    def connect(self, *, read_only: bool) -> Engine:
        """Make the engine; nothing need be there yet, unless it is opened to read."""

    def begin(self, connection: Connection) -> None:
        """Take the write lock, if the transaction that begins has `casemate_writes` in its options."""

    def is_ready(self, connection: Connection) -> bool:
        """Say whether what this kind needs beside the tables is there."""

    def make_ready(self, connection: Connection) -> None:
        """Make what this kind needs beside the tables."""

    def keep(self, engine: Engine, layout: int) -> None:
        """Keep the database as an older program left it, before it is brought to today's layout."""

    def copy(self, engine: Engine, target: Path) -> None:
        """Copy the database as it is at one moment into a new file; `WrongUsage` where its own tools do that."""

    def make_handout(self, lease_seconds: float) -> Handout:
        """Make what hands out jobs to workers."""

    def explain(self, error: Exception) -> StoreFailed:
        """Say what a failure means."""


KINDS: Mapping[str, type[Sqlite] | type[Postgres]] = {"sqlite": Sqlite, "postgresql": Postgres}


class Database:
    """One database and its two kinds of transaction: `reading` sees one state, `writing` is alone and all or nothing.

    One writer at a time, whatever the database: each links its audit event to the one before
    (docs/adr/0007-store-and-audit.md, docs/adr/0015-postgresql.md).
    """

    def __init__(self, url: str, wait_seconds: float, *, read_only: bool = False) -> None:
        self.kind: Kind = _kind_of(url, wait_seconds)
        self.read_only = read_only
        with self._explained():
            self._engine = self.kind.connect(read_only=read_only)
        event.listen(self._engine, "begin", self.kind.begin)
        self._reading = self._engine.execution_options(**self.kind.reading)
        self._writing = self._engine.execution_options(casemate_writes=True)
        with self.reading() as connection:
            ready = self.kind.is_ready(connection) and is_newest(connection)
        if not ready:
            with self.writing() as connection:
                layout = layout_of(connection)
                if 0 < layout < 1 + len(STEPS):
                    self.kind.keep(self._engine, layout)
                migrate(connection)
                self.kind.make_ready(connection)

    @classmethod
    def open_to_read(cls, url: str, wait_seconds: float) -> "Database | None":
        """Open a database that is there and refuse every change of it; None when there is none."""
        there = _kind_of(url, wait_seconds).is_there()
        return cls(url, wait_seconds, read_only=True) if there else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout."""
        with self._explained(), self._reading.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection that is the only one writing; commit at the end, or undo everything when it fails.

        `StoreFailed` when the database was opened to read: its layout is older than the program's, or a caller erred.
        """
        if self.read_only:
            raise StoreFailed(
                f"store {self.kind.name}: it was opened to read, and this would change it",
                way_out="if its layout is older than this casemate, back it up and run `casemate case list` once",
            )
        # The write lock is taken at BEGIN: two processes that read the head of the audit chain and then append to it
        # would otherwise fork the chain, or fail half-way.
        with self._explained(), self._writing.connect() as connection, connection.begin():
            yield connection

    def copy_to(self, target: Path) -> None:
        """Copy the database as it is at one moment into a new file."""
        with self._explained():
            self.kind.copy(self._engine, target)

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (NoResultFound, MultipleResultsFound) as error:
            raise RecordFailed(
                f"store {self.kind.name}: a row that others speak of is not there", way_out=_DAMAGED
            ) from error
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None)
            raise self.kind.explain(cause if isinstance(cause, Exception) else error) from error
        except self.kind.failures as error:
            raise self.kind.explain(error) from error


def _kind_of(url: str, wait_seconds: float) -> Kind:
    try:
        parsed: URL = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):  # their texts quote the URL, which may hold a password
        raise WrongUsage("the store is no database URL", way_out=WAY_OUT) from None
    if backend not in KINDS:
        raise WrongUsage(f"the store cannot be {backend!r}", way_out=WAY_OUT)
    return KINDS[backend](parsed, wait_seconds)

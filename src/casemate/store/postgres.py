"""What is PostgreSQL's own: a server that may go away, its write lock, and what its failures mean."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine

from casemate.core.errors import RecordFailed, StoreFailed, WrongUsage
from casemate.policy.home import data_folder
from casemate.store.handout import Handout

WRITE_LOCK = 0x636173656D617465
"""Key of the advisory lock that every writer of one database holds: `casemate` in ASCII."""

CONNECTIONS = 40
"""Most connections of one process, which the threads of a server may need at once."""

_GONE = "check that PostgreSQL runs and can be reached; server and workers try again by themselves"
_AGAIN = "another process is writing; wait for it and run the same command again"
_WAYS_OUT = {
    "08": _GONE,
    "57P": _GONE,
    "28": "check the user, and the password in ~/.pgpass (or the file that PGPASSFILE names)",
    "3D": "make the database: createdb --encoding UTF8 --template template0 DATABASE",
    "42501": "make the user the owner of the database, or grant it CREATE on the schema",
    "25006": "name the server that takes writes, not a standby of it",
    "25P": _AGAIN,
    "40": _AGAIN,
    "55P03": _AGAIN,
    "53100": "make room on the server's disk and run the same command again; nothing half-done was kept",
    "53300": "raise max_connections of the server, or run fewer workers",
    "53": "give the server more memory or disk and run the same command again",
    "58": "check the server's disk and run the same command again",
    "XX": "the server says its data is damaged: bring it back from a backup",
}
"""Beginning of an SQLSTATE (PostgreSQL manual, appendix A) -> what to do; the longest that fits."""

_OF_A_RECORD = ("22", "23", "54", "XX001", "XX002")
"""Beginnings of the SQLSTATEs of what fails because of the rows at hand; with other rows the database may serve."""

_REFUSALS = (
    (re.compile(r'database ".*" does not exist'), "3D"),
    (re.compile(r'role ".*" does not exist|authentication failed|no password supplied|no pg_hba\.conf entry'), "28"),
    (re.compile(r"too many clients|remaining connection slots"), "53300"),
)
"""What a server says before it lets anybody in; of such an answer the driver keeps the words and no SQLSTATE."""

_NAMED = re.compile(r'\b(user|role) "[^"]*"')

_KEPT_ALIVE = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class Postgres:
    """One database of a server, for the processes of many hosts (docs/adr/0015-postgresql.md)."""

    shared = True
    reading: Mapping[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    def __init__(self, url: URL, wait_seconds: float) -> None:
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise WrongUsage("PostgreSQL is spoken to with psycopg 3", way_out="give postgresql://USER@HOST/DATABASE")
        if not url.database:
            raise WrongUsage("the URL names no database", way_out="give postgresql://USER@HOST/DATABASE")
        try:
            import procrastinate.exceptions
            import psycopg
        except ImportError as error:
            raise WrongUsage(
                f"PostgreSQL needs {error.name or 'psycopg'}, which is not installed",
                way_out="pip install 'casemate[postgresql]'",
            ) from error
        self.failures: tuple[type[Exception], ...] = (psycopg.Error, procrastinate.exceptions.ConnectorException)
        self._lost: tuple[type[Exception], ...] = (psycopg.OperationalError, psycopg.InterfaceError)
        self._url = url.set(drivername="postgresql+psycopg")
        self._wait_ms = max(int(wait_seconds * 1000), 1)
        where = url.host or str(url.query.get("host", os.environ.get("PGHOST", "local")))
        self.name = f"postgresql://{where}{f':{url.port}' if url.port else ''}/{url.database}"
        self.chain = url.database
        self.audit: Path = data_folder() / "audit"

    def is_there(self) -> bool:
        """Leave it to the first connection to find out."""
        return True

    def connect(self, *, read_only: bool) -> Engine:  # noqa: ARG002 - reading transactions are READ ONLY anyway
        """Make the pool; a connection that the server has closed meanwhile is replaced when it is next asked for."""
        options = {name: value for name, value in _KEPT_ALIVE.items() if name not in self._url.query}
        return create_engine(
            self._url,
            connect_args=options | {"application_name": "casemate", "client_encoding": "utf8"},
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=CONNECTIONS - 5,
            pool_timeout=self._wait_ms / 1000,
        )

    def begin(self, connection: Connection) -> None:
        """Wait for the other writers, if this transaction writes, but no longer than the policy says."""
        if not connection.get_execution_options().get("casemate_writes", False):
            return
        # The server ends a writer that says nothing for so long: a host that lost its power holds the lock no longer.
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {self._wait_ms}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {max(2 * self._wait_ms, 60_000)}; "
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'; "
            f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
        )

    def is_ready(self, connection: Connection) -> bool:
        """Look for procrastinate's tables; refuse a database that cannot hold every text."""
        from casemate.store.procrastinated import is_laid_out

        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise StoreFailed(f"store {self.name} is encoded as {encoding}", way_out=_WAYS_OUT["3D"])
        return is_laid_out(connection)

    def make_ready(self, connection: Connection) -> None:
        """Make procrastinate's tables, or bring them up to date."""
        from casemate.store.procrastinated import lay_out

        lay_out(connection)

    def make_handout(self, lease_seconds: float) -> Handout:
        """Let procrastinate hand jobs out."""
        from casemate.store.procrastinated import Procrastinated

        return Procrastinated(lease_seconds)

    def keep(self, engine: Engine, layout: int) -> None:
        """Keep nothing: tables cannot be copied to where the old program would find them (docs/howto/upgrade.md)."""

    def copy(self, engine: Engine, target: Path) -> None:  # noqa: ARG002 - the port's signature
        """Leave copies to PostgreSQL's own program, which knows how."""
        raise WrongUsage(f"{self.name} is backed up by PostgreSQL's own pg_dump", way_out="see docs/howto/backup.md")

    def explain(self, error: Exception) -> StoreFailed:
        """Name the database, what the server says, without the values it quotes, and what to do."""
        if isinstance(error.__cause__, self.failures):
            error = error.__cause__  # procrastinate's own error says less
        state = getattr(error, "sqlstate", None) or ""
        said = getattr(getattr(error, "diag", None), "message_primary", None)
        if not said:  # no answer of a server: the driver's own words, or the pool's
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            if isinstance(error, self._lost):
                state = next((code for words, code in _REFUSALS if words.search(said)), "08")
        said = _NAMED.sub(lambda found: f"the {found[1]}", said)
        fits = [start for start in _WAYS_OUT if state.startswith(start)]
        way_out = _WAYS_OUT[max(fits, key=len)] if fits else "see docs/store.md"
        failed = RecordFailed if state.startswith(_OF_A_RECORD) else StoreFailed
        return failed(f"store {self.name}: {said}", way_out=way_out)

"""How a database becomes what `tables.py` says: an ordered list of functions and a table with the version."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, func, insert, inspect, select, update
from sqlalchemy.schema import CreateColumn

from casemate.audit import GENESIS
from casemate.core.errors import StoreFailed
from casemate.store.case_words import index_all_cases
from casemate.store.judgements import judge_all_cases
from casemate.store.model_uses import count_old_uses
from casemate.store.tables import audit_head, chunks, drafts, metadata, schema_version

Step = Callable[[Connection], None]


def add_drafts(connection: Connection) -> None:
    """Version 2: what tasks wrote about a case."""
    drafts.create(connection)


SERVICE_TABLES = (
    "deliveries",
    "delivery_parts",
    "alert_groups",
    "alerts",
    "jobs",
    "idempotency",
    "people",
    "sessions",
    "tokens",
    "case_words",
)


def add_service(connection: Connection) -> None:
    """Version 3: the tables of the service, and the words of the cases that are there already."""
    metadata.create_all(connection, tables=[metadata.tables[name] for name in SERVICE_TABLES])
    add_column(connection, chunks.c.feeds)
    index_all_cases(connection)


def add_connectors(connection: Connection) -> None:
    """Version 4: how far connectors have read, and what they have pushed."""
    metadata.create_all(connection, tables=[metadata.tables[name] for name in ("cursors", "pushes")])


def add_identities(connection: Connection) -> None:
    """Version 5: sign-in by an issuer of the site."""
    metadata.create_all(connection, tables=[metadata.tables[name] for name in ("pending_sign_ins", "identities")])


BOARD_TABLES = ("looks", "judgements", "trials", "trial_key", "model_uses")


def add_board(connection: Connection) -> None:
    """Version 6: first looks, what people said of proposals, trials, uses of a model; counted from what is there."""
    metadata.create_all(connection, tables=[metadata.tables[name] for name in BOARD_TABLES])
    judge_all_cases(connection)
    count_old_uses(connection)


def add_column(connection: Connection, column: Column[Any]) -> None:
    """Add to a table that is there a column that `tables.py` says, in the words of the database at hand."""
    words = CreateColumn(column).compile(dialect=connection.dialect)
    table = connection.dialect.identifier_preparer.format_table(column.table)
    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {words}")


STEPS: tuple[Step, ...] = (add_drafts, add_service, add_connectors, add_identities, add_board)
"""What turns version 1 into 2, 2 into 3, ...; version 1 is the first released layout.

PostgreSQL came in with version 4: a step behind the first three must run there as well as on SQLite. `add_column` and
`metadata.create_all` say the same to both.
"""


def is_newest(connection: Connection, steps: Sequence[Step] = STEPS) -> bool:
    """Say whether there is nothing to do, so that whoever only reads need not wait for a writer."""
    if not inspect(connection).has_table(schema_version.name):
        return False
    return connection.execute(select(func.max(schema_version.c.version))).scalar() == 1 + len(steps)


def layout_of(connection: Connection) -> int:
    """Say which layout a database has, 0 where it has none yet."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return int(connection.execute(select(func.max(schema_version.c.version))).scalar() or 0)


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> int:
    """Bring the database to the newest layout, in the caller's transaction, and return its version.

    An empty database gets today's tables at once; an older one goes through every step in between. `StoreFailed` for
    one that a newer casemate has written.
    """
    newest = 1 + len(steps)
    if not inspect(connection).has_table(schema_version.name):
        metadata.create_all(connection)
        connection.execute(insert(schema_version).values(version=newest))
        connection.execute(insert(audit_head).values(id=1, number=0, digest=GENESIS))
        return newest
    version = connection.execute(select(func.max(schema_version.c.version))).scalar_one()
    if version > newest:
        raise StoreFailed(
            f"the database has layout {version}, this casemate knows up to {newest}",
            way_out="use the casemate that wrote it, or a newer one (docs/howto/upgrade.md)",
        )
    for step in steps[version - 1 :]:
        step(connection)
    connection.execute(update(schema_version).values(version=newest))
    return newest

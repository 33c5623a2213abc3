from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url

from casemate.core.errors import StoreFailed
from casemate.store.migrations import STEPS, add_column, is_newest, migrate
from casemate.store.tables import chunks, metadata
from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path) -> Iterator[Engine]:
    """Connect to an empty database of each kind in turn."""
    if request.param == "sqlite":
        yield create_engine(f"sqlite:///{tmp_path}/a.db")
        return
    server: Server = request.getfixturevalue("postgres_server")
    url = server.make(empty=True)
    made = create_engine(make_url(url))
    yield made
    made.dispose()
    server.drop(url)


def add_colour(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE cases ADD COLUMN colour TEXT"))


def add_shape(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE cases ADD COLUMN shape TEXT"))


def test_an_empty_database_gets_todays_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        assert not is_newest(connection)
        assert migrate(connection) == 1 + len(STEPS)
        assert is_newest(connection)
        assert not is_newest(connection, (*STEPS, add_colour))
        assert set(inspect(connection).get_table_names()) == set(metadata.tables)


def test_an_older_database_goes_through_every_later_step_once_and_in_order(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection, ())
        assert migrate(connection, (add_colour,)) == 2
        assert migrate(connection, (add_colour,)) == 2
        assert migrate(connection, (add_colour, add_shape)) == 3
        names = [column["name"] for column in inspect(connection).get_columns("cases")]
        assert names[-2:] == ["colour", "shape"]


def test_a_newer_database_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection, ())
        migrate(connection, (add_colour,))
        with pytest.raises(StoreFailed, match="layout 2"):
            migrate(connection, ())


def test_a_column_that_a_step_adds_is_as_the_tables_say(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection)
        before = kinds(connection)
        connection.execute(text("ALTER TABLE chunks DROP COLUMN feeds"))
        add_column(connection, chunks.c.feeds)
        assert before == kinds(connection)


def kinds(connection: Connection) -> dict[str, str]:
    return {column["name"]: str(column["type"]) for column in inspect(connection).get_columns("chunks")}

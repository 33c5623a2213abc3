from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from casemate.core.errors import StoreFailed
from casemate.store.migrations import STEPS, is_newest, migrate
from casemate.store.tables import metadata


def add_colour(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE cases ADD COLUMN colour TEXT"))


def add_shape(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE cases ADD COLUMN shape TEXT"))


def test_an_empty_database_gets_todays_tables(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        assert not is_newest(connection)
        assert migrate(connection) == 1 + len(STEPS)
        assert is_newest(connection)
        assert not is_newest(connection, (*STEPS, add_colour))
        assert set(inspect(connection).get_table_names()) == set(metadata.tables)


def test_an_older_database_goes_through_every_later_step_once_and_in_order(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        migrate(connection, ())
        assert migrate(connection, (add_colour,)) == 2
        assert migrate(connection, (add_colour,)) == 2
        assert migrate(connection, (add_colour, add_shape)) == 3
        names = [column["name"] for column in inspect(connection).get_columns("cases")]
        assert names[-2:] == ["colour", "shape"]


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        migrate(connection, ())
        migrate(connection, (add_colour,))
        with pytest.raises(StoreFailed, match="layout 2"):
            migrate(connection, ())

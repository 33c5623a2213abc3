"""The kinds of column that every database keeps, compares and sorts alike."""

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from casemate.store.packing import storable


class Chars(TypeDecorator[str]):
    """Text compared and sorted byte by byte, as SQLite does; what PostgreSQL cannot carry is replaced on its way in.

    Without the collation PostgreSQL would sort as the language of its installation does, and a cursor that names where
    a page ended would skip rows or show them twice.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Choose the type of one database."""
        kind = postgresql.TEXT(collation="C") if dialect.name == "postgresql" else Text()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Make a value that can be stored and looked up."""
        return None if value is None else storable(value)


DIGEST = Chars()
TIME = Chars()
"""Aware UTC, ISO 8601 with microseconds and Z: sorts as it reads."""

NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""Counts up by itself as a primary key; in SQLite only a column declared `INTEGER` does, and it has 64 bits too."""

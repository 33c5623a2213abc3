"""How far connectors have read: kept with the alerts they read, so that a restart neither loses nor repeats any."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, insert, select, update

from casemate.audit.chain import write_time
from casemate.core.alert import Cursor
from casemate.store.ledger import Ledger
from casemate.store.packing import storable
from casemate.store.tables import cursors

AT_ONCE = 500


class Cursors:
    """The places of all connectors."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of(self, connector: str) -> dict[str, str]:
        """Read the places of one connector, by input."""
        with self._ledger.database.reading() as connection:
            query = select(cursors.c.input, cursors.c.place).where(cursors.c.connector == connector)
            return {row.input: row.place for row in connection.execute(query)}

    def place(self, connector: str, input_: str) -> str | None:
        """Read one place; None when nothing was read yet."""
        with self._ledger.database.reading() as connection:
            query = select(cursors.c.place).where(cursors.c.connector == connector, cursors.c.input == storable(input_))
            return connection.execute(query).scalar()

    def put(self, places: Sequence[Cursor]) -> None:
        """Keep places that no delivery goes with: what was read and passed over."""
        with self._ledger.database.writing() as connection:
            put_cursors(connection, places, write_time(self._ledger.clock()))

    def forget(self, connector: str, inputs: Sequence[str]) -> None:
        """Forget places that can never be asked for again."""
        with self._ledger.database.writing() as connection:
            for start in range(0, len(inputs), AT_ONCE):
                some = [storable(one) for one in inputs[start : start + AT_ONCE]]
                same = (cursors.c.connector == connector) & cursors.c.input.in_(some)
                connection.execute(delete(cursors).where(same))


def put_cursors(connection: Connection, places: Iterable[Cursor], now: str) -> None:
    """Write places in the caller's transaction."""
    for cursor in places:
        same = (cursors.c.connector == cursor.connector) & (cursors.c.input == storable(cursor.input))
        values = {"place": storable(cursor.place), "time": now}
        if connection.execute(update(cursors).where(same).values(values)).rowcount == 0:
            row = {"connector": cursor.connector, "input": storable(cursor.input), **values}
            connection.execute(insert(cursors).values(row))

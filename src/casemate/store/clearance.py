"""The one condition that keeps what is above a clearance out of every query."""

from sqlalchemy import ColumnElement, Table

from casemate.core.marking import Marking
from casemate.core.person import markings_up_to
from casemate.store.database import Database


class Clearance:
    """A database seen up to a marking."""

    def __init__(self, database: Database, clearance: Marking) -> None:
        self._database = database
        self.clearance = clearance
        self._markings = tuple(marking.value for marking in markings_up_to(clearance))

    def _seen(self, table: Table) -> ColumnElement[bool]:
        return table.c.marking.in_(self._markings)

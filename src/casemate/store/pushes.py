"""What connectors have pushed: once for each edition of a case and each receiver, remembered and audited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, func, insert, select, update

from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.core.assessment import Disposition
from casemate.core.case import State
from casemate.core.digest import Digest
from casemate.core.marking import Marking
from casemate.store.ledger import Change, Ledger
from casemate.store.packing import storable
from casemate.store.tables import cases, pushes

MACHINE = "casemate"
WAITING, DONE, GIVEN_UP = "waiting", "done", "given-up"


@dataclass(frozen=True, slots=True)
class Due:
    """A case whose newest edition a receiver has not got yet; `attempts` counts the failures so far."""

    case: str
    edition: Digest
    attempts: int


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one edition at one receiver: `state` is `waiting` (failed, tried again), `done` or `given-up`."""

    case: str
    edition: Digest
    state: str
    attempts: int
    time: datetime
    reference: str
    reason: str


class Pushes:
    """The pushes of all connectors."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def due(
        self, connector: str, markings: Sequence[Marking], dispositions: Sequence[Disposition], limit: int
    ) -> tuple[Due, ...]:
        """List closed cases under these markings whose edition the receiver has not got, the oldest first.

        One that failed is listed again once its pause is over, one that was given up is not.
        """
        same = and_(pushes.c.connector == connector, pushes.c.case == cases.c.id, pushes.c.edition == cases.c.digest)
        now = write_time(self._ledger.clock())
        settled = exists().where(same, (pushes.c.state != WAITING) | (pushes.c.not_before > now))
        attempts = select(pushes.c.attempts).where(same).scalar_subquery()
        query = (
            select(cases.c.id, cases.c.digest, func.coalesce(attempts, 0).label("attempts"))
            .where(
                cases.c.state == State.CLOSED.value,
                cases.c.marking.in_([marking.value for marking in markings]),
                cases.c.disposition.in_([one.value for one in dispositions]),
                ~settled,
            )
            .order_by(cases.c.created, cases.c.id)
            .limit(limit)
        )
        with self._ledger.database.reading() as connection:
            return tuple(Due(row.id, Digest(row.digest), row.attempts) for row in connection.execute(query))

    def edition(self, case: str) -> Digest | None:
        """Name the edition of a case as it is now."""
        with self._ledger.database.reading() as connection:
            found = connection.execute(select(cases.c.digest).where(cases.c.id == storable(case))).scalar()
        return None if found is None else Digest(found)

    def of(self, connector: str, case: str) -> tuple[Pushed, ...]:
        """Read what became of the editions of a case at one receiver, the oldest first."""
        query = (
            select(pushes)
            .where(pushes.c.connector == connector, pushes.c.case == storable(case))
            .order_by(pushes.c.time)
        )
        with self._ledger.database.reading() as connection:
            return tuple(_pushed(row) for row in connection.execute(query))

    def done(self, connector: str, due: Due, reference: str, body: tuple[tuple[str, str], ...]) -> None:
        """Remember that a receiver has an edition, with the audit event."""
        told = (("connector", connector), ("edition", due.edition), *body)
        with self._ledger.changing() as change:
            change.tell(NewAuditEvent(MACHINE, "case.pushed", due.case, told))
            _put(change, connector, due, {"state": DONE, "reference": storable(reference)[:500], "reason": ""})

    def failed(self, connector: str, due: Due, reason: str, *, pause: float, final: bool) -> None:
        """Remember that a push failed, why, and in how many seconds it is tried again; `final` gives it up."""
        state = GIVEN_UP if final else WAITING
        told = (
            ("connector", connector),
            ("edition", due.edition),
            ("attempt", str(due.attempts + 1)),
            ("state", state),
        )
        with self._ledger.changing() as change:
            change.tell(NewAuditEvent(MACHINE, "case.push-failed", due.case, told))
            not_before = write_time(change.now + timedelta(seconds=pause))
            _put(change, connector, due, {"state": state, "reason": storable(reason)[:500], "not_before": not_before})


def _put(change: Change, connector: str, due: Due, values: dict[str, object]) -> None:
    same = (pushes.c.connector == connector) & (pushes.c.case == storable(due.case)) & (pushes.c.edition == due.edition)
    now = write_time(change.now)
    values = {"time": now, "attempts": due.attempts + 1, **values}
    if change.connection.execute(update(pushes).where(same).values(values)).rowcount == 0:
        key = {"connector": connector, "case": storable(due.case), "edition": due.edition}
        defaults = {"not_before": now, "reference": "", "reason": ""}
        change.connection.execute(insert(pushes).values(defaults | key | values))


def _pushed(row: Any) -> Pushed:
    time = datetime.fromisoformat(row.time)
    return Pushed(row.case, Digest(row.edition), row.state, row.attempts, time, row.reference, row.reason)

"""The queue: what came in, the groups it joins, and the jobs that workers take with a lease."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.core.alert import Delivery, GroupState, Job, JobState, Lease, Receipt, Resumable
from casemate.core.case import Case, State
from casemate.core.digest import Digest
from casemate.core.errors import StoreFailed, WrongUsage
from casemate.core.marking import Marking
from casemate.policy import Limits
from casemate.store.handout import Handout
from casemate.store.ledger import Change, Ledger
from casemate.store.packing import storable
from casemate.store.receiving import LastDelivery, put_resumable, receive
from casemate.store.tables import alert_groups, alerts, deliveries, idempotency, jobs
from casemate.store.trials import withheld_title

REMEMBERED = timedelta(days=2)
MACHINE = "casemate"


class LeaseLost(StoreFailed):
    """Another worker has the job by now; nothing of this one's work was stored."""


_FIRST_ALERTS = (
    select(alerts.c.number)
    .where(alerts.c.group == bindparam("of_group"))
    .order_by(alerts.c.number)
    .limit(bindparam("most"))
)
_MARKING = select(alert_groups.c.marking).where(alert_groups.c.number == bindparam("of_group"))
_CHANGE_JOB = update(jobs).where(jobs.c.number == bindparam("job"))
_CHANGE_GROUP = update(alert_groups).where(alert_groups.c.number == bindparam("of_group"))
_SHOW_CASE = update(alert_groups).where(
    or_(alert_groups.c.number == bindparam("of_group"), alert_groups.c.case == bindparam("of_case"))
)
_HELD = select(jobs.c.group, jobs.c.attempts).where(
    jobs.c.number == bindparam("job"), jobs.c.owner == bindparam("of_owner"), jobs.c.state == JobState.LEASED
)
_EVIDENCE = (
    select(alerts.c.delivery, alerts.c.start, alerts.c.size, deliveries.c.source, deliveries.c.separate)
    .join(deliveries, deliveries.c.number == alerts.c.delivery)
    .where(alerts.c.group == bindparam("of_group"), alerts.c.number <= bindparam("through"))
    .order_by(alerts.c.number)
)


class Queue:
    """Alerts, groups and jobs, as senders and workers see them; what people see of them is in `cleared.py`."""

    def __init__(self, ledger: Ledger, handout: Handout, limits: Limits, last: LastDelivery) -> None:
        self._ledger = ledger
        self._handout = handout
        self._limits = limits
        self._last = last

    # In

    def receive(self, handed: Sequence[Delivery]) -> tuple[Receipt, ...]:
        """Store deliveries, in one transaction: the bytes, their groups, the jobs of new groups, the audit events."""
        with self._ledger.changing() as change:
            return tuple(receive(change, delivery, self._handout) for delivery in handed)

    def resumable(self, person: str, key: str) -> Resumable | None:
        """Find how far a request with this key came."""
        with self._ledger.database.reading() as connection:
            row = connection.execute(
                select(idempotency).where(idempotency.c.person == person, idempotency.c.key == key)
            ).one_or_none()
        return None if row is None else Resumable(person, key, row.lines, Digest(row.digest), row.answer)

    def answered(self, done: Resumable) -> None:
        """Keep what a request with a key was answered; keys older than two days are forgotten."""
        with self._ledger.database.writing() as connection:
            old = write_time(self._ledger.clock() - REMEMBERED)
            connection.execute(delete(idempotency).where(idempotency.c.time < old))
            put_resumable(connection, done, write_time(self._ledger.clock()))

    def waiting(self) -> int:
        """Count the jobs that no worker has taken yet."""
        with self._ledger.database.reading() as connection:
            query = select(func.count()).select_from(jobs).where(jobs.c.state == JobState.WAITING)
            return int(connection.execute(query).scalar_one())

    def counts(self) -> dict[str, int]:
        """Count the jobs by state, and the open groups under `groups`; for the figures of the installation."""
        with self._ledger.database.reading() as connection:
            rows = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
            groups = select(func.count()).select_from(alert_groups).where(alert_groups.c.open == 1)
            return {row[0]: int(row[1]) for row in rows} | {"groups": int(connection.execute(groups).scalar_one())}

    # Work

    def take(self, owner: str) -> tuple[Job, Lease] | None:
        """Take the most urgent job that nobody has, with a lease; None when there is nothing to do.

        A job whose lease has run out, or whose worker on this host is dead, is free again. After too many attempts it
        becomes a dead letter instead.
        """
        with self._ledger.database.reading() as connection:
            if not self._handout.any_free(connection, self._ledger.clock()):
                return None
        with self._ledger.changing() as change:
            for row in self._handout.claim(change.connection, owner, change.now):
                if row.attempts >= self._limits.job_attempts:
                    reason = f"given up: {row.attempts} workers died or lost their lease on it"
                    self._bury(change, row.number, row.group, reason)
                    continue
                return self._lease(change, row, owner)
        return None

    def _lease(self, change: Change, row: Any, owner: str) -> tuple[Job, Lease]:
        until = change.now + timedelta(seconds=self._limits.lease_seconds)
        through = row.through
        if through is None:
            first = {"of_group": row.group, "most": self._limits.group_alerts}
            through = max(change.connection.execute(_FIRST_ALERTS, first).scalars())
        values = {
            "state": JobState.LEASED.value,
            "owner": owner,
            "attempts": row.attempts + 1,
            "through": through,
        }
        change.connection.execute(_CHANGE_JOB, {"job": row.number} | values)
        lease = Lease(row.number, owner, until)
        self._handout.hold(change.connection, lease)
        marking = change.connection.execute(_MARKING, {"of_group": row.group}).scalar_one()
        job = Job(
            row.number,
            row.group,
            Marking(marking),
            JobState.LEASED,
            row.priority,
            row.attempts + 1,
            datetime.fromisoformat(row.created),
            None,
            owner,
            "",
            through,
        )
        return job, lease

    def renew(self, lease: Lease) -> bool:
        """Keep a job for longer; false when another worker has it."""
        until = self._ledger.clock() + timedelta(seconds=self._limits.lease_seconds)
        with self._ledger.database.writing() as connection:
            if _leased(connection, lease) is None:
                return False
            return self._handout.hold(connection, Lease(lease.job, lease.owner, until))

    def finish(self, lease: Lease, case: Case) -> None:
        """End a job whose case was stored before; `LeaseLost` when the job is another worker's by now."""
        with self._ledger.changing() as change:
            self.settle(change, lease, case, withheld_title(change.connection, case.id))

    def settle(self, change: Change, lease: Lease, case: Case, withheld: str | None) -> None:
        """End a job in the transaction that stores its case; `LeaseLost` when it is another worker's by now.

        `withheld` is the title of a case whose proposals are withheld, None where they are shown.
        """
        row = _still_leased(change.connection, lease)
        event = change.tell(NewAuditEvent(MACHINE, "job.done", f"job {lease.job}", (("case", case.id),)))
        ended = {"state": JobState.DONE.value, "ended": write_time(change.now), "owner": None, "lease_until": None}
        change.connection.execute(_CHANGE_JOB, {"job": lease.job} | ended)
        self._handout.withdraw(change.connection, lease.job)
        shown = _columns_of(case, withheld) | {"case": case.id, "changed": event.number}
        change.connection.execute(_SHOW_CASE, {"of_group": row.group, "of_case": case.id} | shown)

    def release(self, lease: Lease) -> None:
        """Give a job back unfinished, as if it had not been taken."""
        with self._ledger.database.writing() as connection:
            row = _leased(connection, lease)
            if row is not None:
                self._free(connection, lease.job, row.attempts - 1)

    def _free(self, connection: Connection, job: int, attempts: int) -> None:
        values = {"state": JobState.WAITING.value, "attempts": attempts, "owner": None, "lease_until": None}
        connection.execute(_CHANGE_JOB, {"job": job} | values)
        self._handout.give_back(connection, job)

    def try_again(self, lease: Lease, reason: str) -> bool:
        """Give a job back whose attempt failed; false when that was the last one, and it is a dead letter now.

        `LeaseLost` when it is another worker's by now.
        """
        with self._ledger.changing() as change:
            row = _still_leased(change.connection, lease)
            if row.attempts >= self._limits.job_attempts:
                self._bury(change, lease.job, row.group, reason)
                return False
            self._free(change.connection, lease.job, row.attempts)
            return True

    def fail(self, lease: Lease, reason: str) -> None:
        """Make a job a dead letter; `LeaseLost` when it is another worker's by now."""
        with self._ledger.changing() as change:
            row = _still_leased(change.connection, lease)
            self._bury(change, lease.job, row.group, reason)

    def _bury(self, change: Change, job: int, group: int, reason: str) -> None:
        event = change.tell(NewAuditEvent(MACHINE, "job.dead", f"job {job}"))
        ended = write_time(change.now)
        values = {"state": JobState.DEAD.value, "reason": storable(reason)[:2000], "ended": ended, "owner": None}
        change.connection.execute(_CHANGE_JOB, {"job": job, "lease_until": None} | values)
        self._handout.withdraw(change.connection, job)
        _mark_group(change, group, {"state": GroupState.FAILED.value, "changed": event.number})

    def retry(self, actor: str, job: int) -> None:
        """Put a dead letter back into the queue; `WrongUsage` when the job is none."""
        with self._ledger.changing() as change:
            row = change.connection.execute(
                select(jobs.c.state, jobs.c.group, jobs.c.priority).where(jobs.c.number == job)
            ).one_or_none()
            if row is None or row.state != JobState.DEAD:
                raise WrongUsage(f"job {job} is no dead letter", way_out="only a dead letter can be tried again")
            event = change.tell(NewAuditEvent(actor, "job.retried", f"job {job}"))
            values = {
                "state": JobState.WAITING.value,
                "attempts": 0,
                "owner": None,
                "lease_until": None,
                "ended": None,
                "reason": "",
            }
            change.connection.execute(_CHANGE_JOB, {"job": job} | values)
            self._handout.offer(change.connection, [(job, row.priority)])
            _mark_group(change, row.group, {"state": GroupState.WAITING.value, "changed": event.number})

    def evidence(self, job: Job) -> Iterator[tuple[str, bytes, bool]]:
        """Give the alerts of a job in order: the name the sender gave, the bytes, whether it is a line."""
        with self._ledger.database.reading() as connection:
            held = (0, b"")
            for row in connection.execute(_EVIDENCE, {"of_group": job.group, "through": job.through}).all():
                if held[0] != row.delivery:
                    held = (row.delivery, self._last.read(connection, row.delivery))
                yield row.source, held[1][row.start : row.start + row.size], bool(row.separate)


def show_case(change: Change, case: Case, changed: int, withheld: str | None) -> None:
    """Show in a case's group what the case came to, less its proposals while they are `withheld`."""
    values = _columns_of(case, withheld) | {"changed": changed}
    change.connection.execute(update(alert_groups).where(alert_groups.c.case == storable(case.id)).values(values))


def _columns_of(case: Case, withheld: str | None) -> dict[str, object]:
    state = GroupState.READY if case.state is State.DRAFT else GroupState(case.state.value)
    stands: dict[str, object] = {"state": state.value, "open": int(case.state is not State.CLOSED)}
    if withheld is not None:
        return stands  # lists, filters, searches and their order keep to what the sender said
    return stands | {
        "priority": case.assessment.proposal.priority,
        "disposition": case.disposition.value,
        "title": storable(case.title),
    }


def _mark_group(change: Change, group: int, values: dict[str, object]) -> None:
    change.connection.execute(_CHANGE_GROUP, {"of_group": group} | values)


def _leased(connection: Connection, lease: Lease) -> Any:
    return connection.execute(_HELD, {"job": lease.job, "of_owner": lease.owner}).one_or_none()


def _still_leased(connection: Connection, lease: Lease) -> Any:
    row = _leased(connection, lease)
    if row is None:
        raise LeaseLost(f"the lease on job {lease.job} was lost", way_out="nothing to do: another worker has the job")
    return row

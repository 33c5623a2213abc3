"""The queue: what came in, the groups it joins, and the jobs that workers take with a lease."""

import hashlib
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.core.alert import Alert, Delivery, GroupState, Job, JobState, Lease, Receipt, Resumable
from casemate.core.case import Case, State
from casemate.core.digest import Digest, digest_bytes
from casemate.core.errors import StoreFailed, WrongUsage
from casemate.core.marking import Marking
from casemate.policy import Limits
from casemate.store.cursors import put_cursors
from casemate.store.ledger import Change, Ledger
from casemate.store.packing import pack, storable, unpack
from casemate.store.processes import is_alive
from casemate.store.tables import alert_groups, alerts, deliveries, delivery_parts, idempotency, jobs
from casemate.store.trials import withheld_title

PART_BYTES = 4 * 1024 * 1024
KEYS_AT_ONCE = 500
REMEMBERED = timedelta(days=2)
PRIORITIES = {6: 1, 5: 1, 4: 2, 3: 3, 2: 4, 1: 5}
"""OCSF severity of an alert -> priority of its job until triage proposes one; 3 for an unknown one."""

MACHINE = "casemate"


class LeaseLost(StoreFailed):
    """Another worker has the job by now; nothing of this one's work was stored."""


class Queue:
    """Alerts, groups and jobs, as senders and workers see them; what people see of them is in `cleared.py`."""

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self._ledger = ledger
        self._limits = limits

    # In

    def receive(self, handed: Sequence[Delivery]) -> tuple[Receipt, ...]:
        """Store deliveries, in one transaction: the bytes, their groups, the jobs of new groups, the audit events."""
        with self._ledger.changing() as change:
            return tuple(_receive(change, delivery) for delivery in handed)

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
            _put_resumable(connection, done, write_time(self._ledger.clock()))

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
        now = write_time(self._ledger.clock())
        with self._ledger.database.reading() as connection:
            if not any(True for _ in _free(connection, now)):
                return None
        with self._ledger.changing() as change:
            for row in _free(change.connection, now):
                if row.attempts >= self._limits.job_attempts:
                    reason = f"given up: {row.attempts} workers died or lost their lease on it"
                    _bury(change, row.number, row.group, reason)
                    continue
                return self._lease(change, row, owner)
        return None

    def _lease(self, change: Change, row: Any, owner: str) -> tuple[Job, Lease]:
        until = change.now + timedelta(seconds=self._limits.lease_seconds)
        through = row.through
        if through is None:
            first = select(alerts.c.number).where(alerts.c.group == row.group).order_by(alerts.c.number)
            through = max(change.connection.execute(first.limit(self._limits.group_alerts)).scalars())
        values = {
            "state": JobState.LEASED.value,
            "owner": owner,
            "lease_until": write_time(until),
            "attempts": row.attempts + 1,
            "through": through,
        }
        change.connection.execute(update(jobs).where(jobs.c.number == row.number).values(values))
        marking = change.connection.execute(
            select(alert_groups.c.marking).where(alert_groups.c.number == row.group)
        ).scalar_one()
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
        return job, Lease(row.number, owner, until)

    def renew(self, lease: Lease) -> bool:
        """Keep a job for longer; false when another worker has it."""
        now = self._ledger.clock()
        with self._ledger.database.writing() as connection:
            until = write_time(now + timedelta(seconds=self._limits.lease_seconds))
            changed = connection.execute(
                update(jobs)
                .where(jobs.c.number == lease.job, jobs.c.owner == lease.owner, jobs.c.state == JobState.LEASED)
                .values(lease_until=until)
            )
        return changed.rowcount == 1

    def finish(self, lease: Lease, case: Case) -> None:
        """End a job whose case was stored before; `LeaseLost` when the job is another worker's by now."""
        with self._ledger.changing() as change:
            settle(change, lease, case)

    def release(self, lease: Lease) -> None:
        """Give a job back unfinished, as if it had not been taken."""
        with self._ledger.database.writing() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.number == lease.job, jobs.c.owner == lease.owner, jobs.c.state == JobState.LEASED)
                .values(state=JobState.WAITING.value, owner=None, lease_until=None, attempts=jobs.c.attempts - 1)
            )

    def fail(self, lease: Lease, reason: str) -> None:
        """Make a job a dead letter; `LeaseLost` when it is another worker's by now."""
        with self._ledger.changing() as change:
            row = _leased(change, lease)
            _bury(change, lease.job, row.group, reason)

    def retry(self, actor: str, job: int) -> None:
        """Put a dead letter back into the queue; `WrongUsage` when the job is none."""
        with self._ledger.changing() as change:
            row = change.connection.execute(
                select(jobs.c.state, jobs.c.group).where(jobs.c.number == job)
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
            change.connection.execute(update(jobs).where(jobs.c.number == job).values(values))
            _mark_group(change, row.group, {"state": GroupState.WAITING.value, "changed": event.number})

    def evidence(self, job: Job) -> Iterator[tuple[str, bytes, bool]]:
        """Give the alerts of a job in order: the name the sender gave, the bytes, whether it is a line."""
        with self._ledger.database.reading() as connection:
            query = (
                select(alerts.c.delivery, alerts.c.start, alerts.c.size, deliveries.c.source, deliveries.c.separate)
                .join(deliveries, deliveries.c.number == alerts.c.delivery)
                .where(alerts.c.group == job.group, alerts.c.number <= job.through)
                .order_by(alerts.c.number)
            )
            held = (0, b"")
            for row in connection.execute(query).all():
                if held[0] != row.delivery:
                    held = (row.delivery, read_delivery(connection, row.delivery))
                yield row.source, held[1][row.start : row.start + row.size], bool(row.separate)


def read_delivery(connection: Connection, number: int) -> bytes:
    """Read the bytes of a delivery."""
    query = select(delivery_parts.c.data).where(delivery_parts.c.delivery == number).order_by(delivery_parts.c.start)
    return b"".join(unpack(data, f"delivery {number}") for data in connection.execute(query).scalars())


def settle(change: Change, lease: Lease, case: Case) -> None:
    """End a job in the transaction that stores its case."""
    row = _leased(change, lease)
    event = change.tell(NewAuditEvent(MACHINE, "job.done", f"job {lease.job}", (("case", case.id),)))
    ended = {"state": JobState.DONE.value, "ended": write_time(change.now), "owner": None, "lease_until": None}
    change.connection.execute(update(jobs).where(jobs.c.number == lease.job).values(ended))
    values = _columns_of(change.connection, case) | {"case": storable(case.id), "changed": event.number}
    _mark_group(change, row.group, values)


def show_case(change: Change, case: Case, changed: int) -> None:
    """Show in a case's group what the case came to."""
    values = _columns_of(change.connection, case) | {"changed": changed}
    change.connection.execute(update(alert_groups).where(alert_groups.c.case == storable(case.id)).values(values))


def _columns_of(connection: Connection, case: Case) -> dict[str, object]:
    state = GroupState.READY if case.state is State.DRAFT else GroupState(case.state.value)
    stands: dict[str, object] = {"state": state.value, "open": int(case.state is not State.CLOSED)}
    if withheld_title(connection, case.id) is not None:
        return stands  # lists, filters, searches and their order keep to what the sender said
    return stands | {
        "priority": case.assessment.proposal.priority,
        "disposition": case.disposition.value,
        "title": storable(case.title),
    }


def _leased(change: Change, lease: Lease) -> Any:
    row = change.connection.execute(
        select(jobs.c.group).where(
            jobs.c.number == lease.job, jobs.c.owner == lease.owner, jobs.c.state == JobState.LEASED
        )
    ).one_or_none()
    if row is None:
        raise LeaseLost(f"the lease on job {lease.job} was lost", way_out="nothing to do: another worker has the job")
    return row


def _free(connection: Connection, now: str) -> Iterator[Any]:
    leased = connection.execute(select(jobs).where(jobs.c.state == JobState.LEASED)).all()
    yield from (row for row in leased if row.lease_until < now or _is_dead(row.owner))
    waiting = (
        select(jobs)
        .where(jobs.c.state == JobState.WAITING, jobs.c.not_before <= now)
        .order_by(jobs.c.priority, jobs.c.number)
    )
    yield from connection.execute(waiting.limit(1)).all()


def owner_name(nonce: str) -> str:
    """Name this process as the owner of leases."""
    return f"{socket.gethostname()}/{os.getpid()}/{nonce}"


def _is_dead(owner: str) -> bool:
    host, process, _nonce = owner.split("/")
    return host == socket.gethostname() and not is_alive(int(process))


def _bury(change: Change, job: int, group: int, reason: str) -> None:
    event = change.tell(NewAuditEvent(MACHINE, "job.dead", f"job {job}"))
    ended = write_time(change.now)
    values = {"state": JobState.DEAD.value, "reason": storable(reason)[:2000], "ended": ended, "owner": None}
    change.connection.execute(update(jobs).where(jobs.c.number == job).values(values | {"lease_until": None}))
    _mark_group(change, group, {"state": GroupState.FAILED.value, "changed": event.number})


def _mark_group(change: Change, group: int, values: dict[str, object]) -> None:
    change.connection.execute(update(alert_groups).where(alert_groups.c.number == group).values(values))


def _receive(change: Change, delivery: Delivery) -> Receipt:
    data = b"\n".join(alert.data for alert in delivery.alerts)
    digest = digest_bytes(data)
    body = (("alerts", str(len(delivery.alerts))), ("bytes", str(len(data))), ("marking", delivery.marking.value))
    event = change.tell(NewAuditEvent(delivery.sender, "evidence.received", digest, body))
    number = _put_delivery(change, delivery, data, digest)
    keys = [group_key(alert, delivery.marking) for alert in delivery.alerts]
    groups, opened = _join_groups(change, delivery, keys, event.number)
    rows, start = [], 0
    for key, alert in zip(keys, delivery.alerts, strict=True):
        size = len(alert.data)
        rows.append({"group": groups[key], "delivery": number, "start": start, "size": size})
        start += size + 1
    change.connection.execute(insert(alerts), rows)
    if delivery.resumable is not None:
        _put_resumable(change.connection, delivery.resumable, write_time(change.now))
    put_cursors(change.connection, delivery.cursors, write_time(change.now))
    return Receipt(len(delivery.alerts), opened, tuple(sorted(groups.values())))


def _put_delivery(change: Change, delivery: Delivery, data: bytes, digest: Digest) -> int:
    row = {
        "time": write_time(change.now),
        "sender": delivery.sender,
        "marking": delivery.marking.value,
        "source": storable(delivery.source),
        "separate": int(delivery.separate),
        "size": len(data),
        "digest": digest,
    }
    key = change.connection.execute(insert(deliveries).values(row)).inserted_primary_key
    assert key is not None
    number = int(key[0])
    for start in range(0, max(len(data), 1), PART_BYTES):
        part = {"delivery": number, "start": start, "data": pack(data[start : start + PART_BYTES])}
        change.connection.execute(insert(delivery_parts).values(part))
    return number


def group_key(alert: Alert, marking: Marking) -> bytes:
    """Name the group that an alert joins, in 16 bytes; equal alerts under different markings do not meet."""
    rule = "" if alert.kind == "file" else alert.rule  # there it is only what the sender called it
    named = f"{marking.value}\0{alert.kind}\0{rule}\0{alert.entity}\0{alert.template}"
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()[:16]


def _join_groups(
    change: Change, delivery: Delivery, keys: Sequence[bytes], changed: int
) -> tuple[dict[bytes, int], int]:
    joining: dict[bytes, list[Alert]] = {}
    for key, alert in zip(keys, delivery.alerts, strict=True):
        joining.setdefault(key, []).append(alert)
    known: dict[bytes, Any] = {}
    for some in _slices(list(joining)):
        for row in change.connection.execute(select(alert_groups).where(alert_groups.c.key.in_(some))):
            known[bytes(row.key)] = row
    numbers = {key: int(row.number) for key, row in known.items()}
    opened = 0
    for key, members in joining.items():
        if key in known:
            _add_to_group(change, known[key], members, changed)
        else:
            numbers[key] = _open_group(change, key, members, delivery.marking, changed)
            opened += 1
    return numbers, opened


def _times(members: Iterable[Alert], now: datetime) -> tuple[str, str]:
    times = [alert.time or now for alert in members]
    return write_time(min(times).astimezone(UTC)), write_time(max(times).astimezone(UTC))


def _add_to_group(change: Change, row: Any, members: Sequence[Alert], changed: int) -> None:
    first, last = _times(members, change.now)
    severity = max(row.severity, *(alert.severity for alert in members))
    values: dict[str, object] = {
        "count": row.count + len(members),
        "first_seen": min(first, row.first_seen),
        "last_seen": max(last, row.last_seen),
        "severity": severity,
        "changed": changed,
    }
    if row.case is None:
        values["priority"] = min(row.priority, PRIORITIES.get(severity, 3))
    _mark_group(change, row.number, values)


def _open_group(change: Change, key: bytes, members: Sequence[Alert], marking: Marking, changed: int) -> int:
    alert = members[0]
    first, last = _times(members, change.now)
    severity = max(one.severity for one in members)
    row = {
        "key": key,
        "marking": marking.value,
        "kind": alert.kind,
        "rule": storable(alert.rule),
        "entity": storable(alert.entity),
        "template": storable(alert.template),
        "count": len(members),
        "first_seen": first,
        "last_seen": last,
        "received": write_time(change.now),
        "severity": severity,
        "priority": PRIORITIES.get(severity, 3),
        "open": 1,
        "state": GroupState.WAITING.value,
        "title": storable(alert.rule or alert.template),
        "changed": changed,
    }
    made = change.connection.execute(insert(alert_groups).values(row)).inserted_primary_key
    assert made is not None
    job = {
        "group": made[0],
        "state": JobState.WAITING.value,
        "priority": row["priority"],
        "attempts": 0,
        "created": write_time(change.now),
        "not_before": write_time(change.now),
        "reason": "",
    }
    change.connection.execute(insert(jobs).values(job))
    return int(made[0])


def _put_resumable(connection: Connection, resumable: Resumable, now: str) -> None:
    same = (idempotency.c.person == resumable.person) & (idempotency.c.key == resumable.key)
    values = {"lines": resumable.lines, "digest": resumable.digest, "answer": resumable.answer}
    if connection.execute(update(idempotency).where(same).values(values)).rowcount == 0:
        row = {"person": resumable.person, "key": resumable.key, "time": now, **values}
        connection.execute(insert(idempotency).values(row))


def _slices(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[start : start + KEYS_AT_ONCE]

"""What comes in: the bytes of a delivery, the groups that its alerts join, and a job for each new group."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.core.alert import Alert, Delivery, GroupState, JobState, Receipt, Resumable, name_alert
from casemate.core.digest import Digest, digest_bytes
from casemate.core.errors import InConflict
from casemate.core.marking import Marking
from casemate.store.cursors import put_cursors
from casemate.store.handout import Handout
from casemate.store.ledger import Change
from casemate.store.packing import pack, storable, unpack
from casemate.store.tables import alert_groups, alerts, deliveries, delivery_parts, idempotency, jobs

PART_BYTES = 4 * 1024 * 1024
KEYS_AT_ONCE = 500
PRIORITIES = {6: 1, 5: 1, 4: 2, 3: 3, 2: 4, 1: 5}
"""OCSF severity of an alert -> priority of its job until triage proposes one; 3 for an unknown one."""


_GROUPS = select(alert_groups).where(alert_groups.c.key.in_(bindparam("keys", expanding=True)))
_NEW_GROUP = insert(alert_groups)
_NEW_JOB = insert(jobs)
_NEW_ALERTS = insert(alerts)
_NEW_DELIVERY = insert(deliveries)
_NEW_PART = insert(delivery_parts)
_CHANGE_GROUP = update(alert_groups).where(alert_groups.c.number == bindparam("of_group"))
_PARTS = (
    select(delivery_parts.c.data)
    .where(delivery_parts.c.delivery == bindparam("of_delivery"))
    .order_by(delivery_parts.c.start)
)


def receive(change: Change, delivery: Delivery, handout: Handout) -> Receipt:
    """Store a delivery with everything that follows from it, in the caller's transaction.

    `InConflict` when a delivery under the same key was stored since the sender's server looked: on another host.
    """
    if delivery.resumable is not None:
        _check_turn(change.connection, delivery.resumable, len(delivery.alerts))
    data = b"\n".join(alert.data for alert in delivery.alerts)
    digest = digest_bytes(data)
    body = (("alerts", str(len(delivery.alerts))), ("bytes", str(len(data))), ("marking", delivery.marking.value))
    event = change.tell(NewAuditEvent(delivery.sender, "evidence.received", digest, body))
    number = _put_delivery(change, delivery, data, digest)
    keys = [group_key(alert, delivery.marking) for alert in delivery.alerts]
    groups, opened = _join_groups(change, delivery, keys, event.number)
    handout.offer(change.connection, opened)
    rows, start = [], 0
    for key, alert in zip(keys, delivery.alerts, strict=True):
        size = len(alert.data)
        rows.append({"group": groups[key], "delivery": number, "start": start, "size": size})
        start += size + 1
    change.connection.execute(_NEW_ALERTS, rows)
    if delivery.resumable is not None:
        put_resumable(change.connection, delivery.resumable, write_time(change.now))
    put_cursors(change.connection, delivery.cursors, write_time(change.now))
    return Receipt(len(delivery.alerts), len(opened), tuple(sorted(groups.values())))


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
    key = change.connection.execute(_NEW_DELIVERY, row).inserted_primary_key
    assert key is not None
    number = int(key[0])
    for start in range(0, max(len(data), 1), PART_BYTES):
        part = {"delivery": number, "start": start, "data": pack(data[start : start + PART_BYTES])}
        change.connection.execute(_NEW_PART, part)
    return number


def group_key(alert: Alert, marking: Marking) -> bytes:
    """Name the group that an alert joins, in 16 bytes; equal alerts under different markings do not meet."""
    rule = "" if alert.kind == "file" else alert.rule  # there it is only what the sender called it
    named = f"{marking.value}\0{alert.kind}\0{rule}\0{alert.entity}\0{alert.template}"
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()[:16]


def _join_groups(
    change: Change, delivery: Delivery, keys: Sequence[bytes], changed: int
) -> tuple[dict[bytes, int], list[tuple[int, int]]]:
    joining: dict[bytes, list[Alert]] = {}
    for key, alert in zip(keys, delivery.alerts, strict=True):
        joining.setdefault(key, []).append(alert)
    known: dict[bytes, Any] = {}
    for some in _slices(list(joining)):
        for row in change.connection.execute(_GROUPS, {"keys": list(some)}):
            known[bytes(row.key)] = row
    numbers = {key: int(row.number) for key, row in known.items()}
    opened: list[tuple[int, int]] = []
    for key, members in joining.items():
        if key in known:
            _add_to_group(change, known[key], members, changed)
        else:
            numbers[key], job = _open_group(change, key, members, delivery.marking, changed)
            opened.append(job)
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
    change.connection.execute(_CHANGE_GROUP, {"of_group": row.number} | values)


def _open_group(
    change: Change, key: bytes, members: Sequence[Alert], marking: Marking, changed: int
) -> tuple[int, tuple[int, int]]:
    alert = members[0]
    first, last = _times(members, change.now)
    severity = max(one.severity for one in members)
    priority = PRIORITIES.get(severity, 3)
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
        "priority": priority,
        "open": 1,
        "state": GroupState.WAITING.value,
        "title": storable(name_alert(alert.rule, alert.template)),
        "changed": changed,
    }
    made = change.connection.execute(_NEW_GROUP, row).inserted_primary_key
    assert made is not None
    job = {
        "group": made[0],
        "state": JobState.WAITING.value,
        "priority": priority,
        "attempts": 0,
        "created": write_time(change.now),
        "not_before": write_time(change.now),
        "reason": "",
    }
    queued = change.connection.execute(_NEW_JOB, job).inserted_primary_key
    assert queued is not None
    return int(made[0]), (int(queued[0]), priority)


def _check_turn(connection: Connection, resumable: Resumable, alerts: int) -> None:
    same = (idempotency.c.person == resumable.person) & (idempotency.c.key == resumable.key)
    stored = connection.execute(select(idempotency.c.lines).where(same)).scalar() or 0
    if stored != resumable.lines - alerts:
        raise InConflict("a request with this key is under way on another server", way_out="wait, then send it again")


def put_resumable(connection: Connection, resumable: Resumable, now: str) -> None:
    """Write how far a request with a key came."""
    same = (idempotency.c.person == resumable.person) & (idempotency.c.key == resumable.key)
    values = {"lines": resumable.lines, "digest": resumable.digest, "answer": resumable.answer}
    if connection.execute(update(idempotency).where(same).values(values)).rowcount == 0:
        row = {"person": resumable.person, "key": resumable.key, "time": now, **values}
        connection.execute(insert(idempotency).values(row))


def _slices(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[start : start + KEYS_AT_ONCE]


class LastDelivery:
    """The bytes of the delivery that was read last: the jobs of one delivery are often done one after the other."""

    def __init__(self) -> None:
        self._held: tuple[int, bytes] = (0, b"")

    def read(self, connection: Connection, number: int) -> bytes:
        """Read the bytes of a delivery, which never change; those of a large one are not kept."""
        held = self._held
        if held[0] == number:
            return held[1]
        data = read_delivery(connection, number)
        if len(data) <= 2 * PART_BYTES:
            self._held = (number, data)
        return data


def read_delivery(connection: Connection, number: int) -> bytes:
    """Read the bytes of a delivery."""
    parts = connection.execute(_PARTS, {"of_delivery": number}).scalars()
    return b"".join(unpack(data, f"delivery {number}") for data in parts)

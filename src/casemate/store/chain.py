"""The audit chain in the database: appended to inside the transaction that it tells of, and read back to verify."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from casemate.audit import ChainFault, Checkpoint, NewAuditEvent, event_line, link, read_event
from casemate.audit.checkpoint import read_checkpoint
from casemate.core.audit import AuditEvent
from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted
from casemate.store.packing import storable
from casemate.store.tables import audit, audit_checkpoints, audit_head

PAGE = 1000


_LOCKED_HEAD = select(audit_head.c.number, audit_head.c.digest).with_for_update()
_NEW_EVENT = insert(audit)
_NEW_HEAD = update(audit_head).values(number=bindparam("last"), digest=bindparam("of_last"))
_NEW_CHECKPOINT = insert(audit_checkpoints)


def link_next(connection: Connection, last: AuditEvent | None, new: NewAuditEvent, time: datetime) -> AuditEvent:
    """Link one more event to the chain, behind `last` of this transaction or the head that is stored.

    The caller's transaction is a writing one, so nobody else can do the same; `append` stores what was linked.
    """
    if last is not None:
        number, digest = last.number, last.digest
    else:
        head = connection.execute(_LOCKED_HEAD).one_or_none()
        if head is None:
            raise NotTrusted("the head of the audit chain is gone", way_out="run `casemate audit verify`")
        number, digest = head.number, Digest(head.digest)
    return link(digest, number + 1, time, new.actor, new.action, new.subject, new.body)


def append(connection: Connection, events: Sequence[AuditEvent], checkpoint: Checkpoint) -> None:
    """Store the events that a transaction has linked, the new head, and the signed checkpoint of the last of them."""
    rows = [{"number": one.number, "subject": one.subject, "line": event_line(one)} for one in events]
    connection.execute(_NEW_EVENT, rows)
    connection.execute(_NEW_HEAD, {"last": events[-1].number, "of_last": events[-1].digest})
    connection.execute(_NEW_CHECKPOINT, {"number": checkpoint.number, "line": checkpoint.line()})


def stored_events(connection: Connection, subject: str | None = None) -> Iterator[AuditEvent]:
    """Read the events in order; `NotTrusted` at a row that is none any more (`faults_of_rows` says which)."""
    for number, _subject, line in _rows(connection, subject):
        try:
            yield read_event(line)
        except ValueError as error:
            raise NotTrusted(f"audit event {number}: {error}", way_out="run `casemate audit verify`") from error


def events_since(connection: Connection, time: datetime, after: int) -> Iterator[AuditEvent]:
    """Read the events numbered above `after` that are not older than `time`, the newest first."""
    below = None
    while True:
        query = select(audit.c.number, audit.c.line).where(audit.c.number > after).order_by(audit.c.number.desc())
        rows = connection.execute((query if below is None else query.where(audit.c.number < below)).limit(PAGE)).all()
        for row in rows:
            try:
                event = read_event(row.line)
            except ValueError as error:
                raise NotTrusted(f"audit event {row.number}: {error}", way_out="run `casemate audit verify`") from error
            if event.time < time:
                return
            yield event
        if len(rows) < PAGE:
            return
        below = rows[-1].number


def stored_lines(connection: Connection, faults: list[ChainFault], see: Callable[[AuditEvent], None]) -> Iterator[str]:
    """Read the lines in order for the verifier; a row whose columns differ from its line is added to `faults`."""
    for number, subject, line in _rows(connection, None):
        try:
            event = read_event(line)
        except ValueError:
            pass  # the verifier says so, from the line
        else:
            if (event.number, storable(event.subject)) != (number, storable(subject)):
                row = f"row {number} about {subject}"
                faults.append(ChainFault(number, "row-changed", f"row {event.number} about {event.subject}", row))
            see(event)
        yield line


def stored_checkpoints(connection: Connection, faults: list[ChainFault], *, last: bool = False) -> list[Checkpoint]:
    """Read the checkpoints kept beside the chain, or only the last; an unreadable one is added to `faults`."""
    query = select(audit_checkpoints).order_by(audit_checkpoints.c.number)
    if last:
        query = select(audit_checkpoints).order_by(audit_checkpoints.c.number.desc()).limit(1)
    rows = connection.execute(query).all()
    return readable_checkpoints(((row.number, row.line) for row in rows), faults)


def readable_checkpoints(lines: Iterable[tuple[int, str]], faults: list[ChainFault]) -> list[Checkpoint]:
    """Read numbered checkpoint lines; an unreadable one is added to `faults` under its number."""
    checkpoints = []
    for number, line in lines:
        try:
            checkpoints.append(read_checkpoint(line))
        except ValueError as error:
            faults.append(ChainFault(number, "checkpoint-unreadable", "a checkpoint in canonical JSON", str(error)))
    return checkpoints


def head_of(connection: Connection) -> tuple[int, Digest] | None:
    """Read the high-water mark: the last number given out, and its digest; None when the row is gone."""
    row = connection.execute(select(audit_head.c.number, audit_head.c.digest)).one_or_none()
    return None if row is None else (int(row.number), Digest(row.digest))


def _rows(connection: Connection, subject: str | None) -> Iterator[tuple[int, str, str]]:
    last = None
    while True:
        query = select(audit.c.number, audit.c.subject, audit.c.line).order_by(audit.c.number).limit(PAGE)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        if last is not None:
            query = query.where(audit.c.number > last)
        rows = connection.execute(query).all()
        yield from ((row.number, row.subject, row.line) for row in rows)
        if len(rows) < PAGE:
            return
        last = rows[-1].number

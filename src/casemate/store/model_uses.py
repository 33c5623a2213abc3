"""What requests to a language model took, beside the audit event of each, so that sums need not read the chain."""

from sqlalchemy import Connection, insert, select

from casemate.audit import read_event
from casemate.audit.chain import write_time
from casemate.core.audit import AuditEvent
from casemate.core.cost import Cost
from casemate.store.packing import storable
from casemate.store.tables import audit, model_uses

ASKED = "model.asked"
"""Action of the audit event that each request leaves; its subject is the case."""


def put_use(connection: Connection, event: AuditEvent, model: str, task: str, cost: Cost) -> None:
    """Write what one request took."""
    row = {
        "number": event.number,
        "case": storable(event.subject),
        "time": write_time(event.time),
        "model": storable(model),
        "task": storable(task),
        "prompt_tokens": cost.prompt_tokens,
        "cached_tokens": cost.cached_tokens,
        "generated_tokens": cost.generated_tokens,
        "seconds": cost.seconds,
    }
    connection.execute(insert(model_uses).values(row))


def count_old_uses(connection: Connection) -> None:
    """Write what the audit chain tells of requests made before this table; unreadable rows are passed over."""
    lines = select(audit.c.line).where(audit.c.line.contains(f'"{ASKED}"'))
    for line in connection.execute(lines).scalars().all():
        try:
            event = read_event(line)
            said = dict(event.body)
            cost = Cost(
                1,
                int(said["prompt_tokens"]),
                int(said["cached_tokens"]),
                int(said["generated_tokens"]),
                float(said["seconds"]),
            )
        except (ValueError, KeyError):
            continue  # `casemate audit verify` names it
        if event.action == ASKED:
            put_use(connection, event, said.get("model", "")[:12], said.get("task", ""), cost)

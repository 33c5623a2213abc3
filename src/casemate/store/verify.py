"""The whole proof: the chain, its checkpoints in and outside the database, and the cases that the chain tells of."""

from collections import Counter
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from casemate.audit import ChainFault, Seal, verify_lines
from casemate.core.audit import AuditEvent
from casemate.store.cases import stated_and_real
from casemate.store.chain import head_of, readable_checkpoints, stored_checkpoints, stored_lines
from casemate.store.drafts import drafts_stated_and_real
from casemate.store.packing import storable

CASE_CONTENT = "case-sha256"
"""The name, in the body of an audit event, of the digest of the case that was stored with it."""

DRAFT_CONTENT = "draft-sha256"
"""The same for a draft of the case."""

CONTENT = "stored-sha256"
"""The same for anything else that was stored."""


def verify_store(
    connection: Connection, seal: Seal, chain_name: str, public_key: bytes | None = None
) -> tuple[ChainFault, ...]:
    """Check everything in one state of the database and return every fault, in the order of the chain.

    Beside the codes of `ChainFault`: `row-changed`, `head-changed`, `checkpoint-unreadable`, `checkpoint-missing`,
    `case-changed`, `case-missing`, `case-unaudited`, `draft-changed`, `draft-missing`, `draft-unaudited`.
    """
    faults: list[ChainFault] = []
    audited: dict[str, tuple[int, str]] = {}
    drafted: Counter[tuple[str, str]] = Counter()
    last: list[AuditEvent] = []

    def see(event: AuditEvent) -> None:
        last[:] = [event]
        content = dict(event.body).get(CASE_CONTENT)
        if content is not None:
            audited[storable(event.subject)] = (event.number, content)
        draft = dict(event.body).get(DRAFT_CONTENT)
        if draft is not None:
            drafted[storable(event.subject), draft] += 1

    head = head_of(connection)
    checkpoints = stored_checkpoints(connection, faults)
    outside = readable_checkpoints(enumerate(seal.lines(), start=1), faults)
    mine = [checkpoint for checkpoint in outside if checkpoint.chain == chain_name]
    lines = stored_lines(connection, faults, see)
    faults += verify_lines(lines, [*checkpoints, *mine], public_key or seal.public_key, head[0] if head else 0)
    if last and (head is None or head != (last[0].number, last[0].digest)):
        found = "no head" if head is None else f"{head[0]} {head[1]}"
        faults.append(ChainFault(last[0].number, "head-changed", f"{last[0].number} {last[0].digest}", found))
    if last and not mine:
        faults.append(ChainFault(last[0].number, "checkpoint-missing", f"a checkpoint in {seal.file}", "none"))
    faults += _case_faults(audited, stated_and_real(connection))
    faults += _draft_faults(drafted, drafts_stated_and_real(connection))
    return tuple(sorted(set(faults), key=lambda fault: (fault.number, fault.code, fault.found)))


def _case_faults(
    audited: Mapping[str, tuple[int, str]], stored: Iterator[tuple[str, str, str]]
) -> Iterator[ChainFault]:
    missing = dict(audited)
    for case_id, stated, real in stored:
        number, content = missing.pop(storable(case_id), (0, ""))
        if not content:
            yield ChainFault(number, "case-unaudited", f"an audit event about case {case_id}", "none")
        elif content != real or stated != real:
            yield ChainFault(number, "case-changed", f"case {case_id} as {content}", f"{stated} holding {real}")
    for case_id, (number, content) in missing.items():
        yield ChainFault(number, "case-missing", f"case {case_id} as {content}", "no such case")


def _draft_faults(drafted: Counter[tuple[str, str]], stored: Iterator[tuple[str, str, str]]) -> Iterator[ChainFault]:
    missing = drafted.copy()
    for case_id, stated, real in stored:
        if stated != real:
            yield ChainFault(0, "draft-changed", f"a draft of case {case_id} as {stated}", real)
        elif not missing[storable(case_id), stated]:
            yield ChainFault(0, "draft-unaudited", f"an audit event about draft {stated} of case {case_id}", "none")
        missing[storable(case_id), stated] -= 1
    for (case_id, content), left in missing.items():
        if left > 0:
            yield ChainFault(0, "draft-missing", f"a draft of case {case_id} as {content}", "no such draft")

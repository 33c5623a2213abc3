"""Drafts of cases: each one kept as it was written, never changed, never deleted."""

from collections.abc import Iterator
from functools import cache

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, func, insert, select

from casemate.audit.chain import write_time
from casemate.core.digest import Digest, digest_bytes
from casemate.core.draft import Draft
from casemate.core.errors import RecordFailed, StoreFailed, WrongUsage
from casemate.store.codec import to_json
from casemate.store.packing import pack, storable, unpack
from casemate.store.tables import cases, drafts


@cache
def _adapter() -> TypeAdapter[Draft]:
    return TypeAdapter(Draft)


def put_draft(connection: Connection, draft: Draft) -> Digest:
    """Write a draft behind the earlier ones of its case and return the digest of its JSON.

    `WrongUsage` when there is no such case.
    """
    case = connection.execute(select(cases.c.number).where(cases.c.id == storable(draft.case))).scalar()
    if case is None:
        raise WrongUsage(f"there is no case {draft.case}", way_out="`casemate case list` shows the cases")
    before = connection.execute(select(func.max(drafts.c.number)).where(drafts.c.case == case)).scalar()
    data = to_json(_adapter(), draft)
    digest = digest_bytes(data)
    row = {
        "case": case,
        "number": (before or 0) + 1,
        "task": draft.task,
        "about": storable(draft.about),
        "created": write_time(draft.created),
        "digest": digest,
        "data": pack(data),
    }
    connection.execute(insert(drafts).values(row))
    return digest


def get_drafts(connection: Connection, case_id: str, *, every: bool) -> tuple[Draft, ...]:
    """Read the drafts of a case, oldest first: the last of each task and purpose, or every one."""
    query = (
        select(drafts.c.task, drafts.c.about, drafts.c.data)
        .join(cases, cases.c.number == drafts.c.case)
        .where(cases.c.id == storable(case_id))
        .order_by(drafts.c.number)
    )
    rows = connection.execute(query).all()
    last = {(row.task, row.about): number for number, row in enumerate(rows)}
    chosen = rows if every else [row for number, row in enumerate(rows) if last[row.task, row.about] == number]
    return tuple(_read(unpack(row.data, f"a draft of case {case_id}")) for row in chosen)


def drafts_stated_and_real(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Give for every draft the id of its case, the digest its row states, and what its JSON really comes to.

    The last is a word for what is wrong when the JSON cannot be read or the row's other columns say otherwise.
    """
    query = select(cases.c.id, drafts).join(cases, cases.c.number == drafts.c.case)
    for row in connection.execute(query.order_by(drafts.c.case, drafts.c.number)).mappings().yield_per(16):
        try:
            data = unpack(row["data"], f"a draft of case {row['id']}")
            draft = _read(data)
        except StoreFailed:
            yield row["id"], row["digest"], "unreadable JSON"
            continue
        columns = (storable(draft.case), draft.task, storable(draft.about), write_time(draft.created))
        same = columns == (storable(row["id"]), row["task"], storable(row["about"]), row["created"])
        yield row["id"], row["digest"], digest_bytes(data) if same else "other columns"


def _read(data: bytes) -> Draft:
    try:
        return _adapter().validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordFailed(
            f"a stored draft cannot be read: {where}: {first['msg']}", way_out="bring the store back from a backup"
        ) from error

"""Cases: the whole as JSON, and beside it the columns that lists are sorted and filtered by."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, bindparam, delete, func, insert, select, update

from casemate.audit.chain import write_time
from casemate.core.assessment import Disposition
from casemate.core.case import Case, State
from casemate.core.digest import Digest, digest_bytes
from casemate.core.errors import InConflict, StoreFailed, WrongUsage
from casemate.core.feature import Feature
from casemate.core.marking import Marking
from casemate.store.case_words import put_words
from casemate.store.codec import case_from_json, case_to_json
from casemate.store.features import feature_key
from casemate.store.judgements import put_judgements
from casemate.store.packing import pack, storable, unpack
from casemate.store.tables import cases, features, reviews


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One case in a list; `revision` counts how often it was written.

    While `withheld` is true the title is the sender's, and disposition and priority say nothing.
    """

    id: str
    created: datetime
    title: str
    state: State
    marking: Marking
    disposition: Disposition
    priority: int
    revision: int
    withheld: bool = False


_THERE = select(cases.c.number, cases.c.state, cases.c.digest, cases.c.revision).where(cases.c.id == bindparam("named"))
_WHOLE = select(cases.c.data, cases.c.revision).where(cases.c.id == bindparam("named"))
_NEW_CASE = insert(cases)
_NEW_FEATURES = insert(features)


def put_case(connection: Connection, case: Case, held: Iterable[Feature], edition: str) -> Digest | None:
    """Write a case that the machine made and return the digest of its JSON; None when the one there stays.

    It stays when it is the same, and when a person has already decided something on it.
    """
    data = case_to_json(case)
    digest = digest_bytes(data)
    there = connection.execute(_THERE, {"named": case.id}).one_or_none()
    if there is None:
        row = _columns(case, data, digest) | {"id": storable(case.id), "revision": 1, "edition": edition}
        key = connection.execute(_NEW_CASE, row).inserted_primary_key
        assert key is not None
        number = int(key[0])
    elif there.digest == digest or there.state != State.DRAFT:
        return None
    else:
        number = there.number
        row = _columns(case, data, digest) | {"revision": there.revision + 1, "edition": edition}
        connection.execute(update(cases).where(cases.c.number == number).values(row))
        connection.execute(delete(features).where(features.c.case == number))
    keys = {feature_key(feature) for feature in held}
    if keys:
        connection.execute(_NEW_FEATURES, [{"key": key, "case": number} for key in sorted(keys)])
    put_words(connection, number, case, anew=there is not None)
    return digest


def put_review(connection: Connection, decided: Case, revision: int) -> Digest:
    """Write a case that a person has just decided on, made from the case as it was at `revision`.

    `WrongUsage` when the case is unknown or was written by somebody else in between: nothing is overwritten.
    """
    row = connection.execute(
        select(cases.c.number, cases.c.revision).where(cases.c.id == storable(decided.id))
    ).one_or_none()
    if row is None:
        raise WrongUsage(f"there is no case {decided.id}", way_out="`casemate case list` shows the cases")
    if row.revision != revision or not decided.reviews:
        raise InConflict(
            f"case {decided.id} was changed by somebody else meanwhile",
            way_out="look at the case as it is now, and decide again",
        )
    data = case_to_json(decided)
    digest = digest_bytes(data)
    values = _columns(decided, data, digest) | {"revision": revision + 1}
    connection.execute(update(cases).where(cases.c.number == row.number).values(values))
    connection.execute(insert(reviews).values(_review_row(row.number, decided)))
    put_judgements(connection, row.number, decided)
    return digest


def get_case(connection: Connection, case_id: str) -> tuple[Case, int] | None:
    """Read a case and its revision."""
    row = connection.execute(_WHOLE, {"named": case_id}).one_or_none()
    if row is None:
        return None
    return case_from_json(unpack(row.data, f"case {case_id}")), int(row.revision)


def edition_of_case(connection: Connection, case_id: str) -> str:
    """Read which edition of the texts a case cites; empty when there is no such case."""
    return connection.execute(select(cases.c.edition).where(cases.c.id == storable(case_id))).scalar() or ""


def list_cases(connection: Connection, limit: int, offset: int, state: State | None) -> tuple[CaseLine, ...]:
    """List cases, the newest first."""
    query = select(*columns_of_line())
    if state is not None:
        query = query.where(cases.c.state == state.value)
    rows = connection.execute(query.order_by(cases.c.created.desc(), cases.c.id).limit(limit).offset(offset)).all()
    return tuple(case_line(row) for row in rows)


def columns_of_line() -> tuple[Column[Any], ...]:
    """Name the columns that a line of a list needs."""
    return (
        cases.c.id,
        cases.c.created,
        cases.c.title,
        cases.c.state,
        cases.c.marking,
        cases.c.disposition,
        cases.c.priority,
        cases.c.revision,
    )


def case_line(row: Row[Any]) -> CaseLine:
    """Make a line of the columns of `columns_of_line`."""
    return CaseLine(
        id=row.id,
        created=datetime.fromisoformat(row.created),
        title=row.title,
        state=State(row.state),
        marking=Marking(row.marking),
        disposition=Disposition(row.disposition),
        priority=row.priority,
        revision=row.revision,
    )


def count_cases(connection: Connection, state: State | None) -> int:
    """Count cases."""
    query = select(func.count()).select_from(cases)
    if state is not None:
        query = query.where(cases.c.state == state.value)
    return int(connection.execute(query).scalar_one())


def stated_and_real(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Give every case's id, the digest its row states, and what its JSON and the row's other columns really come to.

    The last is the digest of the JSON when the columns say the same as the JSON, else a word for what is wrong.
    """
    for row in connection.execute(select(cases)).mappings().yield_per(16):
        try:
            data = unpack(row["data"], f"case {row['id']}")
            case = case_from_json(data)
        except StoreFailed:
            yield row["id"], row["digest"], "unreadable JSON"
            continue
        digest = digest_bytes(data)
        columns = _columns(case, data, digest) | {"id": storable(case.id)}
        wrong = sorted(name for name, value in columns.items() if name != "data" and _kept(row[name]) != value)
        yield row["id"], row["digest"], f"other columns ({', '.join(wrong)})" if wrong else digest


def _kept(value: object) -> object:
    return storable(value) if isinstance(value, str) else value  # earlier versions kept NUL as it was


def _columns(case: Case, data: bytes, digest: Digest) -> dict[str, object]:
    return {
        "created": write_time(case.created),
        "title": storable(case.title),
        "state": case.state.value,
        "marking": case.marking.value,
        "disposition": case.disposition.value,
        "priority": case.assessment.proposal.priority,
        "digest": digest,
        "data": pack(data),
    }


def _review_row(number: int, decided: Case) -> dict[str, object]:
    review = decided.reviews[-1]
    return {
        "case": number,
        "number": len(decided.reviews),
        "reviewer": storable(review.reviewer),
        "role": storable(review.role),
        "time": write_time(review.time),
        # What the case was closed with: a disposition that awaits a second person decides nothing yet.
        "disposition": decided.disposition.value if decided.state is State.CLOSED else None,
        "decisions": len(review.decisions),
        "reason": storable(review.reason),
    }

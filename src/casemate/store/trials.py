"""Cases shown without proposals, so that the time people take with and without them can be compared.

The arm of a case is drawn once, when a worker first stores it, by a keyed digest of its id: nobody picks, and nobody
who does not know the key can tell beforehand. docs/adr/0019-minutes-saved.md says what is withheld and why.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from casemate.audit.chain import write_time
from casemate.core.alert import name_alert
from casemate.core.assessment import Assessment, Disposition, Proposal
from casemate.core.case import Case, Review
from casemate.core.issue import Issue, Severity
from casemate.policy import Baseline
from casemate.store.case_words import put_words
from casemate.store.packing import storable
from casemate.store.tables import alert_groups, cases, jobs, looks, trial_key, trials

IN_TURN = 3
TITLE_CHARS = 300
WITHHELD = "Shown without proposals until a person has decided: the site measures what proposals save."


_WITHHELD = (
    select(cases.c.id, trials.c.title)
    .join(cases, cases.c.number == trials.c.case)
    .where(
        cases.c.id.in_(bindparam("ids", expanding=True)),
        trials.c.arm == "withheld",
        trials.c.decided.is_(None),
    )
)


_WITHHELD_ONE = (
    select(trials.c.title)
    .join(cases, cases.c.number == trials.c.case)
    .where(cases.c.id == bindparam("named"), trials.c.arm == "withheld", trials.c.decided.is_(None))
)


class Arm(StrEnum):
    """How a drawn case is shown until it is decided."""

    WITHHELD = "withheld"
    SHOWN = "shown"


def draw(key: bytes, case_id: str, share: float) -> Arm:
    """Draw the arm of a case: the first 64 bits of HMAC-SHA-256 (RFC 2104) over its id, as a fraction below `share`."""
    number = int.from_bytes(hmac.digest(key, case_id.encode("utf-8", "replace"), "sha256")[:8], "big")
    return Arm.WITHHELD if number < share * 2**64 else Arm.SHOWN


def enter_trial(connection: Connection, case: Case, job: int, baseline: Baseline) -> None:
    """Draw the arm of a case that the service has just made; a case that was drawn before keeps its arm."""
    if not baseline.share or case.assessment.proposal.priority <= baseline.spare_priority:
        return
    number = connection.execute(select(cases.c.number).where(cases.c.id == storable(case.id))).scalar_one()
    if connection.execute(select(trials.c.arm).where(trials.c.case == number)).scalar() is not None:
        return
    group = select(alert_groups.c.rule, alert_groups.c.template).join(jobs, jobs.c.group == alert_groups.c.number)
    said = connection.execute(group.where(jobs.c.number == job)).one_or_none()
    title = name_alert(said.rule, said.template) if said is not None else ""
    row = {"case": number, "arm": draw(_key(connection), case.id, baseline.share).value}
    connection.execute(insert(trials).values(row | {"title": title[:TITLE_CHARS] or "alert without a rule"}))


def end_trial(connection: Connection, decided: Case, review: Review) -> None:
    """Keep how long the first decision on a drawn case took, and let its proposals be found from now on."""
    if review.disposition is None:
        return
    query = select(trials.c.case, trials.c.arm).join(cases, cases.c.number == trials.c.case)
    row = connection.execute(query.where(cases.c.id == storable(decided.id), trials.c.decided.is_(None))).one_or_none()
    if row is None:
        return
    looked = select(looks.c.time).where(looks.c.case == row.case, looks.c.person == storable(review.reviewer))
    first = connection.execute(looked).scalar()
    seconds = None if first is None else (review.time - datetime.fromisoformat(first)).total_seconds()
    values = {"decided": write_time(review.time), "seconds": seconds if seconds is None or seconds >= 0 else None}
    connection.execute(update(trials).where(trials.c.case == row.case).values(values))
    if row.arm == Arm.WITHHELD:
        put_words(connection, row.case, decided)


def hide_words(connection: Connection, case: Case, title: str) -> None:
    """Let a case whose proposals are withheld, and which is called `title` meanwhile, be found by its evidence only."""
    number = connection.execute(select(cases.c.number).where(cases.c.id == storable(case.id))).scalar_one()
    put_words(connection, number, without_proposals(case, title))


def withheld_title(connection: Connection, case_id: str) -> str | None:
    """Give what a case is called while its proposals are withheld; None when they are not."""
    title = connection.execute(_WITHHELD_ONE, {"named": case_id}).scalar()
    return None if title is None else str(title)


def withheld_titles(connection: Connection, case_ids: Sequence[str]) -> dict[str, str]:
    """Give what those of the cases are called whose proposals are withheld, by id."""
    named = {storable(case_id): case_id for case_id in case_ids}
    rows = connection.execute(_WITHHELD, {"ids": list(named)})
    return {named[row.id]: str(row.title) for row in rows}


def is_withheld() -> ColumnElement[bool]:
    """Make the condition on `cases` that the proposals of a case are withheld now."""
    return cases.c.number.in_(select(trials.c.case).where(_open()))


def without_proposals(case: Case, title: str) -> Case:
    """Give a case as it is shown while its proposals are withheld: what came in and what was read from it, no more."""
    proposal = Proposal(Disposition.UNDETERMINED, (WITHHELD,), IN_TURN)
    told = Issue("proposals-withheld", Severity.NOTE, WITHHELD, way_out="decide the case, and they are shown")
    return replace(
        case,
        title=title,
        findings=(),
        passages=(),
        assessment=Assessment((), proposal, ()),
        related=(),
        issues=(*(issue for issue in case.issues if _of_input(issue)), told),
        run=replace(case.run, prompt=None, prompt_tokens=0, cached_tokens=0, generated_tokens=0, proposed=0, dropped=0),
    )


def _of_input(issue: Issue) -> bool:
    # What names an input tells how it was read; the rest tells of proposals and of what the checks made of them.
    return bool(issue.source) and issue.code != "opinions-differ"


def _open() -> ColumnElement[bool]:
    return (trials.c.arm == Arm.WITHHELD.value) & trials.c.decided.is_(None)


def _key(connection: Connection) -> bytes:
    kept = connection.execute(select(trial_key.c.key)).scalar()
    if kept is None:
        kept = secrets.token_bytes(32)
        connection.execute(insert(trial_key).values(id=1, key=kept))
    return bytes(kept)


def put_look(connection: Connection, case_id: str, person: str, time: datetime) -> None:
    """Keep that a person opened a case for the first time; a later look changes nothing."""
    number = connection.execute(select(cases.c.number).where(cases.c.id == storable(case_id))).scalar()
    if number is not None and not has_looked(connection, case_id, person):
        connection.execute(insert(looks).values(case=number, person=storable(person), time=write_time(time)))


def has_looked(connection: Connection, case_id: str, person: str) -> bool:
    """Tell whether a person has opened a case before; a case that does not exist counts as looked at."""
    query = select(cases.c.number, looks.c.time).select_from(cases)
    joined = query.outerjoin(looks, (looks.c.case == cases.c.number) & (looks.c.person == storable(person)))
    row = connection.execute(joined.where(cases.c.id == storable(case_id))).one_or_none()
    return row is None or row.time is not None

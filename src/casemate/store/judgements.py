"""What people said of what was proposed: a row for each proposal of a closed case that somebody judged."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from casemate.audit.chain import write_time
from casemate.core.assessment import Disposition
from casemate.core.case import Case, State, Verdict
from casemate.core.errors import StoreFailed
from casemate.core.finding import Finding
from casemate.store.codec import case_from_json
from casemate.store.packing import storable, unpack
from casemate.store.tables import cases, judgements

DISPOSITION = "disposition"
FINDING = "finding"

_ATTACK = {Disposition.TRUE_POSITIVE: True, Disposition.BENIGN_POSITIVE: False, Disposition.FALSE_POSITIVE: False}


def put_judgements(connection: Connection, number: int, case: Case) -> None:
    """Write anew what people said of the proposals of a case; nothing while it is not closed."""
    connection.execute(delete(judgements).where(judgements.c.case == number))
    time = _closed_at(case)
    if time is None:
        return
    rows = [
        {"case": number, "number": place, "about": about, "maker": storable(maker), "agreed": int(agreed)}
        for place, (about, maker, agreed) in enumerate(judge(case), 1)
    ]
    connection.execute(insert(judgements), [row | {"time": write_time(time)} for row in rows])


def judge(case: Case) -> Iterator[tuple[str, str, bool]]:
    """Give for each judged proposal of a closed case what it was about, who made it, and whether the person agreed.

    The disposition comes from the rules, named here with the language model they worked beside. The specialist for
    dispositions says how urgent alerts are: 1 and 2 lean to an attack, 4 and 5 to none, and only leaning is compared;
    an undetermined case proves nobody wrong.
    """
    yield DISPOSITION, model_of(case), case.disposition is case.assessment.proposal.disposition
    attack = _ATTACK.get(case.disposition)
    for finding in case.findings:
        if finding.kind == "judgement" and attack is not None:
            urgent = finding.reference.rpartition(":")[2]
            if urgent in {"1", "2", "4", "5"}:
                yield DISPOSITION, maker_of(finding), (urgent in {"1", "2"}) is attack
    verdicts = case.verdicts()
    for finding in case.findings:
        if finding.id in verdicts:
            yield FINDING, maker_of(finding), verdicts[finding.id].verdict is Verdict.ACCEPTED


def model_of(case: Case) -> str:
    """Name the language model a case was made with."""
    return f"{case.run.model_name} {case.run.model[:12]}" if case.run.model else "no language model"


def maker_of(finding: Finding) -> str:
    """Name who made a finding; what was trained is told apart by its digest."""
    trained = finding.basis in {"specialist", "model"} and finding.maker is not None
    return f"{finding.basis}: {finding.kind}" + (f" {str(finding.maker)[:12]}" if trained else "")


def judge_all_cases(connection: Connection) -> None:
    """Write the judgements of every closed case; one that cannot be read is left for `casemate audit verify`."""
    closed = select(cases.c.number, cases.c.data).where(cases.c.state == State.CLOSED.value)
    for number, data in connection.execute(closed).all():
        try:
            case = case_from_json(unpack(data, f"case {number}"))
        except StoreFailed:
            continue
        put_judgements(connection, number, case)


def _closed_at(case: Case) -> datetime | None:
    if case.state is not State.CLOSED:
        return None
    return next((review.time for review in reversed(case.reviews) if review.disposition is not None), None)

"""What a person's review makes of a case.

The states and what leads from one to the next; nothing else does:

    draft      -- verdicts or a note ---------------> in-review
    in-review  -- verdicts or a note ---------------> in-review
    draft, in-review -- a disposition --------------> closed, or awaiting-second where the policy asks for four eyes
    awaiting-second  -- a second person confirms ---> closed
    awaiting-second  -- a second person sends it back, with a reason --> in-review
    awaiting-second  -- a note ---------------------> awaiting-second
    awaiting-second  -- verdicts -------------------> in-review   (the first decision counts no more)
    awaiting-second  -- a disposition --------------> closed or awaiting-second   (it is the first one now)
    closed     -- a reason, no disposition ---------> in-review   (opened again)
    closed     -- a reason and a disposition -------> closed or awaiting-second   (decided anew)

Who may do what stands in the policy (`Policy.duties`). What the machine proposed is never changed: a rejected finding
stays in the case, with the verdict beside it.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from casemate.core.case import Answer, Case, Review, State, Verdict
from casemate.core.errors import OutOfTurn, RefusedByPolicy, WrongUsage
from casemate.policy import Duties, Policy

NAME_CHARS = 200
WORDING_CHARS = 300
MACHINE_NAME = "casemate"
"""The actor of what the program does by itself; no person decides under it."""


def decide(case: Case, review: Review, policy: Policy) -> Case:
    """Apply one person's review to a case and return the case as it stands then.

    Raises `WrongUsage` for a review that names nobody, decides nothing, speaks of a finding that the case does not have
    or changes a closed case without a reason; `RefusedByPolicy` for a disposition or a confirmation by a role that may
    not give one, or by the person who decided first; `OutOfTurn` where somebody else has to speak first.
    """
    _check_reviewer(review)
    _check_verdicts(case, review)
    if review.answer is not None:
        _check_answer(case, review, policy)
        state = State.CLOSED if review.answer is Answer.CONFIRMED else State.IN_REVIEW
        return replace(case, state=state, reviews=(*case.reviews, review))
    closed = case.state is State.CLOSED
    if review.disposition is None and not review.decisions and not review.reason.strip():
        raise WrongUsage(
            f"the review of case {case.id} decides nothing",
            way_out="accept or reject a finding, set a disposition, or give a reason",
        )
    if closed and not review.reason.strip():
        raise WrongUsage(f"case {case.id} is closed", way_out="give a reason to open it again or decide it anew")
    if closed:
        held = policy.duties(case.disposition, case.marking)
        _check_role(review, (*held.responsible, *held.accountable))
    if review.disposition is None:
        only_a_note = case.state is State.AWAITING and not review.decisions
        state = State.AWAITING if only_a_note else State.IN_REVIEW
    else:
        duties = policy.duties(review.disposition, case.marking)
        _check_role(review, duties.responsible)
        _check_consulted(case, review, duties)
        state = State.AWAITING if duties.second else State.CLOSED
    return replace(case, state=state, reviews=(*case.reviews, review))


def same_person(one: Review, other: Review) -> bool:
    """Tell whether two reviews may be of one person: under one name, or from one account, however it is written."""
    return not _names(one).isdisjoint(_names(other))


def _names(review: Review) -> set[str]:
    told = (unicodedata.normalize("NFKC", name).casefold() for name in (review.reviewer, review.account))
    return {" ".join(name.split()) for name in told} - {""}


def _check_answer(case: Case, review: Review, policy: Policy) -> None:
    if review.disposition is not None or review.decisions:
        raise WrongUsage(
            "a second person confirms or sends back, and changes nothing in the same breath",
            way_out="confirm, or send back with a reason, or set the disposition yourself, which begins anew",
        )
    first = case.decision
    if case.state is not State.AWAITING or first is None:
        raise OutOfTurn(f"case {case.id} awaits no second person", way_out="set a disposition first")
    duties = policy.duties(case.disposition, case.marking)
    if same_person(first, review):
        raise RefusedByPolicy(
            f"{review.reviewer} decided case {case.id} first, and nobody is their own second person",
            way_out=f"ask somebody else with one of the roles: {_list(duties.accountable)}",
        )
    if review.role not in duties.accountable:
        raise RefusedByPolicy(
            f"role {review.role!r} may not confirm or send back the disposition of this case",
            way_out=f"ask somebody with one of the roles: {_list(duties.accountable)}",
        )
    if review.answer is Answer.SENT_BACK and not review.reason.strip():
        raise WrongUsage(f"case {case.id} is sent back without a reason", way_out="say what has to be looked at again")


def _check_role(review: Review, allowed: Iterable[str]) -> None:
    if review.role not in allowed:
        raise RefusedByPolicy(
            f"role {review.role!r} may not set or reopen the disposition of this case",
            way_out=f"ask somebody with one of the roles: {_list(allowed)}",
        )


def _check_consulted(case: Case, review: Review, duties: Duties) -> None:
    if not duties.consult_first:
        return
    for note in reversed(case.reviews):
        if note.disposition is not None:
            break
        if note.role in duties.consulted and note.reason.strip() and not same_person(note, review):
            return
    raise OutOfTurn(
        f"nobody has been consulted yet about case {case.id}, as the policy asks before this disposition",
        way_out=f"let somebody else with one of the roles leave a note first: {_list(duties.consulted)}",
    )


def _list(roles: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(roles)) or "none"


def _check_reviewer(review: Review) -> None:
    name = review.reviewer.strip()
    account = review.account
    if not name or any(len(one) > NAME_CHARS or not one.isprintable() for one in (name, account)):
        raise WrongUsage("a review needs the name of a person", way_out="name the reviewer, in printable characters")
    if name.casefold() == MACHINE_NAME:
        raise WrongUsage(f"{name} is the program, not a person", way_out="name the person who decides")
    if not review.role.strip():
        raise WrongUsage("a review needs the role of its reviewer", way_out="name the role, such as analyst")
    if any(time.tzinfo is None for time in (review.time, *(decision.time for decision in review.decisions))):
        raise WrongUsage("the time of a review has no time zone", way_out="give the time in UTC")


def _check_verdicts(case: Case, review: Review) -> None:
    known = {finding.id for finding in case.findings}
    judged: set[str] = set()
    for decision in review.decisions:
        if decision.finding not in known:
            raise WrongUsage(
                f"case {case.id} has no finding {decision.finding}",
                way_out=f"`casemate case show {case.id}` lists its findings",
            )
        if decision.finding in judged:
            raise WrongUsage(f"finding {decision.finding} is judged twice in one review", way_out="judge it once")
        if decision.reviewer != review.reviewer:
            raise WrongUsage(
                f"the verdict on {decision.finding} names another reviewer than the review",
                way_out="let every person review in their own name",
            )
        if decision.wording and (decision.verdict is Verdict.REJECTED or not _fits(decision.wording)):
            raise WrongUsage(
                f"finding {decision.finding} cannot be reworded so",
                way_out=f"accept it, and give it at most {WORDING_CHARS} printable characters",
            )
        judged.add(decision.finding)


def _fits(wording: str) -> bool:
    return wording.isprintable() and bool(wording.strip()) and len(wording) <= WORDING_CHARS

"""What a person's review makes of a case.

The states and what leads from one to the next; nothing else does:

    draft      -- verdicts or a note ------------> in-review
    draft      -- a disposition -----------------> closed
    in-review  -- verdicts or a note ------------> in-review
    in-review  -- a disposition -----------------> closed
    closed     -- a reason, no disposition ------> in-review   (opened again)
    closed     -- a reason and a disposition ----> closed      (decided anew)

A disposition, and opening a closed case again, need a deciding role. What the machine proposed is never changed: a
rejected finding stays in the case, with the verdict beside it.
"""

from dataclasses import replace

from casemate.core.case import Case, Review, State, Verdict
from casemate.core.errors import RefusedByPolicy, WrongUsage
from casemate.policy import Policy

NAME_CHARS = 200
WORDING_CHARS = 300
MACHINE_NAME = "casemate"
"""The actor of what the program does by itself; no person decides under it."""


def decide(case: Case, review: Review, policy: Policy) -> Case:
    """Apply one person's review to a case and return the case as it stands then.

    Raises `WrongUsage` for a review that names nobody, decides nothing, speaks of a finding that the case does not have
    or changes a closed case without a reason; `RefusedByPolicy` for a disposition by a role that may not set one.
    """
    _check_reviewer(review)
    _check_verdicts(case, review)
    closed = case.state is State.CLOSED
    if review.disposition is None and not review.decisions and not review.reason.strip():
        raise WrongUsage(
            f"the review of case {case.id} decides nothing",
            way_out="accept or reject a finding, set a disposition, or give a reason",
        )
    if closed and not review.reason.strip():
        raise WrongUsage(f"case {case.id} is closed", way_out="give a reason to open it again or decide it anew")
    if (closed or review.disposition is not None) and review.role not in policy.deciding_roles:
        allowed = ", ".join(policy.deciding_roles) or "none"
        raise RefusedByPolicy(
            f"role {review.role!r} may not set or reopen the disposition of a case",
            way_out=f"ask somebody with one of the roles: {allowed}",
        )
    state = State.IN_REVIEW if review.disposition is None else State.CLOSED
    return replace(case, state=state, reviews=(*case.reviews, review))


def _check_reviewer(review: Review) -> None:
    name = review.reviewer.strip()
    if not name or len(name) > NAME_CHARS or not name.isprintable():
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

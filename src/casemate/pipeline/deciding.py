"""The one way a person's review reaches a case; the command line, the API and the pages all take it.

What may be decided stands in `stages/review` and the policy; here it is asked of the case as it is stored, in the name
of a person whose account, where there is one, says their role and how far they may see.
"""

from dataclasses import dataclass

from casemate.audit import NewAuditEvent
from casemate.core.case import Case, Review, Verdict
from casemate.core.errors import InConflict, RefusedByPolicy, WrongUsage
from casemate.core.marking import Marking
from casemate.core.person import Right, markings_up_to
from casemate.policy import Policy
from casemate.policy.roles import rights_of
from casemate.stages.review import decide
from casemate.store import Store


@dataclass(frozen=True, slots=True)
class Decided:
    """A case as it stands after a review, and its revision."""

    case: Case
    revision: int


def review_case(store: Store, policy: Policy, case_id: str, revision: int | None, review: Review) -> Decided:
    """Apply a review to the case as it is stored, and store it with its audit event.

    `revision` is that of the case the person looked at, None for whatever it is now. `InConflict` when the case was
    changed meanwhile, and what `decide` raises.
    """
    clearance = _clearance(store, review)
    found = store.case_at(case_id)
    if found is None or (clearance is not None and found[0].marking not in markings_up_to(clearance)):
        raise WrongUsage(f"there is no case {case_id}", way_out="`casemate case list` shows the cases there are")
    case, now_at = found
    if revision is not None and revision != now_at:
        raise InConflict(
            "somebody else decided on this case meanwhile", way_out="look at it as it is now, and decide again"
        )
    decided = decide(case, review, policy)
    event = NewAuditEvent(review.reviewer, "case.reviewed", case.id, _told(decided, review, policy))
    return Decided(decided, store.add_review(decided, now_at, event))


def _clearance(store: Store, review: Review) -> Marking | None:
    """Check a reviewer against their account; None where the name has none, which the command line allows."""
    account = store.people().find(review.reviewer)
    if account is None:
        if review.answer is not None:
            raise RefusedByPolicy(
                f"{review.reviewer} has no account here, and a second person needs one",
                way_out="make one with `casemate user add NAME --role ROLE`, or confirm as somebody who has one",
            )
        return None
    if account.disabled:
        raise RefusedByPolicy(f"the account {account.name} is disabled", way_out="decide in the name of another person")
    if account.role.value != review.role:
        raise RefusedByPolicy(
            f"{account.name} has the role {account.role.value} here, not {review.role}",
            way_out=f"give their own role: {account.role.value}",
        )
    if Right.REVIEW not in rights_of(account.role):
        raise RefusedByPolicy(
            f"{account.name} is a {account.role.value} and may not review",
            way_out="ask somebody whose role may: docs/service.md lists them",
        )
    return account.clearance


def _told(decided: Case, review: Review, policy: Policy) -> tuple[tuple[str, str], ...]:
    verdicts = {
        verdict: " ".join(sorted(one.finding for one in review.decisions if one.verdict is verdict))
        for verdict in Verdict
    }
    told = [
        ("by", review.account),
        ("role", review.role),
        ("disposition", review.disposition.value if review.disposition else ""),
        *((verdict.value, named) for verdict, named in verdicts.items()),
        ("state", decided.state.value),
    ]
    if review.answer is not None:
        told.append(("answer", review.answer.value))
    informed = policy.duties(decided.disposition, decided.marking).informed
    if decided.reviewed and informed:
        told.append(("informed", " ".join(informed)))
    return tuple(told)

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from casemate.core.assessment import Assessment, Disposition, Proposal
from casemate.core.case import Case, Decision, Review, Run, State, Verdict
from casemate.core.digest import Digest
from casemate.core.errors import CasemateError, RefusedByPolicy, WrongUsage
from casemate.core.finding import Finding
from casemate.core.marking import Marking
from casemate.policy import Policy
from casemate.stages.review import decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy(deciding_roles=("analyst", "admin"))


def draft() -> Case:
    return Case(
        id="c1",
        title="Brute force",
        created=NOW,
        marking=Marking.AMBER,
        state=State.DRAFT,
        evidence=(),
        observables=(),
        timeline=(),
        findings=tuple(Finding(name, "technique", "T1110", "", "named", (), severity=4) for name in ("F1", "F2")),
        passages=(),
        assessment=Assessment((), Proposal(Disposition.TRUE_POSITIVE, ("many failures",)), ()),
        related=(),
        issues=(),
        run=Run("0", 0, None, "", None, Digest("0" * 64), ()),
    )


def review(**changes: object) -> Review:
    return replace(Review("Ada Byron", "analyst", NOW), **changes)  # type: ignore[arg-type]  # one of its fields each


def verdict(finding: str = "F1", reviewer: str = "Ada Byron", what: Verdict = Verdict.REJECTED) -> Decision:
    return Decision(finding, what, reviewer, NOW)


def test_a_verdict_takes_a_draft_into_review_and_keeps_the_finding() -> None:
    case = decide(draft(), review(decisions=(verdict(),)), POLICY)
    assert case.state is State.IN_REVIEW
    assert not case.reviewed
    assert case.verdicts()["F1"].verdict is Verdict.REJECTED
    assert case.findings == draft().findings


def test_a_disposition_closes_and_counts() -> None:
    case = decide(draft(), review(disposition=Disposition.FALSE_POSITIVE), POLICY)
    assert case.state is State.CLOSED
    assert case.reviewed
    assert case.disposition is Disposition.FALSE_POSITIVE
    assert case.assessment.proposal.disposition is Disposition.TRUE_POSITIVE


def test_a_closed_case_opens_again_only_with_a_reason() -> None:
    closed = decide(draft(), review(disposition=Disposition.FALSE_POSITIVE), POLICY)
    with pytest.raises(WrongUsage, match="closed"):
        decide(closed, review(decisions=(verdict(),)), POLICY)
    with pytest.raises(WrongUsage, match="closed"):
        decide(closed, review(disposition=Disposition.TRUE_POSITIVE), POLICY)
    opened = decide(closed, review(reason="a second host was seen"), POLICY)
    assert opened.state is State.IN_REVIEW
    anew = decide(closed, review(reason="wrong host", disposition=Disposition.TRUE_POSITIVE), POLICY)
    assert (anew.state, anew.disposition) == (State.CLOSED, Disposition.TRUE_POSITIVE)


@pytest.mark.parametrize("state", list(State))
def test_a_role_that_may_not_decide_sets_no_disposition(state: State) -> None:
    case = replace(draft(), state=state)
    with pytest.raises(RefusedByPolicy, match="viewer") as caught:
        decide(case, review(role="viewer", reason="r", disposition=Disposition.FALSE_POSITIVE), POLICY)
    assert "analyst, admin" in caught.value.way_out


def test_a_role_that_may_not_decide_does_not_open_a_closed_case() -> None:
    with pytest.raises(RefusedByPolicy):
        decide(replace(draft(), state=State.CLOSED), review(role="viewer", reason="r"), POLICY)


def test_a_role_that_may_not_decide_may_still_judge_findings() -> None:
    assert decide(draft(), review(role="viewer", decisions=(verdict(),)), POLICY).state is State.IN_REVIEW


@pytest.mark.parametrize(
    "made",
    [
        review(),
        review(reason="  \t"),
        review(reviewer="", reason="r"),
        review(reviewer="   ", reason="r"),
        review(reviewer="Ada\x1b[2J", reason="r"),
        review(reviewer="A" * 201, reason="r"),
        review(reviewer="Casemate", reason="r"),
        review(role=" ", reason="r"),
        review(time=datetime(2026, 1, 1), reason="r"),  # noqa: DTZ001 - that is the point
        review(decisions=(verdict("F9"),)),
        review(decisions=(verdict("F1"), verdict("F1"))),
        review(decisions=(verdict("F1", reviewer="Eve"),)),
    ],
    ids=lambda made: f"{made.reviewer[:9]!a}-{made.role}-{len(made.decisions)}-{made.reason!a}",
)
def test_a_review_that_makes_no_sense_is_refused_with_a_way_out(made: Review) -> None:
    with pytest.raises(WrongUsage) as caught:
        decide(draft(), made, POLICY)
    assert caught.value.way_out


class Reviewing(RuleBasedStateMachine):
    """Anybody does anything to a case, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.case = draft()
        self.time = NOW
        self.accepted: list[Review] = []

    @rule(
        reviewer=st.sampled_from(["Ada", "Bob", "", "casemate"]),
        role=st.sampled_from(["analyst", "admin", "viewer", "model"]),
        findings=st.lists(st.sampled_from(["F1", "F2", "F9"]), max_size=2),
        what=st.sampled_from(Verdict),
        disposition=st.none() | st.sampled_from(Disposition),
        reason=st.sampled_from(["", "because"]),
    )
    def someone_reviews(
        self,
        reviewer: str,
        role: str,
        findings: list[str],
        what: Verdict,
        disposition: Disposition | None,
        reason: str,
    ) -> None:
        self.time += timedelta(minutes=1)
        decisions = tuple(Decision(name, what, reviewer, self.time) for name in findings)
        made = Review(reviewer, role, self.time, decisions, disposition, reason)
        before = self.case
        try:
            self.case = decide(before, made, POLICY)
        except CasemateError:
            return
        assert reviewer in {"Ada", "Bob"}
        assert disposition is None or role in POLICY.deciding_roles
        assert before.state is not State.CLOSED or (reason and role in POLICY.deciding_roles)
        assert self.case.reviewed == (disposition is not None)
        self.accepted.append(made)

    @precondition(lambda self: self.case.state is State.CLOSED)
    @rule()
    def a_deciding_person_can_always_open_it_again(self) -> None:
        made = Review("Ada", "admin", self.time, reason="look again")
        assert decide(self.case, made, POLICY).state is State.IN_REVIEW

    @invariant()
    def nothing_but_state_and_reviews_ever_changes(self) -> None:
        first = draft()
        for field in fields(Case):
            if field.name not in {"state", "reviews"}:
                assert getattr(self.case, field.name) == getattr(first, field.name)

    @invariant()
    def every_accepted_review_is_kept_in_order(self) -> None:
        assert list(self.case.reviews) == self.accepted

    @invariant()
    def it_is_closed_only_by_a_person_s_disposition(self) -> None:
        if self.case.state is State.CLOSED:
            assert self.case.reviews[-1].disposition is not None
        if not self.accepted:
            assert self.case.state is State.DRAFT


TestReviewing = Reviewing.TestCase
TestReviewing.settings = settings(max_examples=60, stateful_step_count=15)

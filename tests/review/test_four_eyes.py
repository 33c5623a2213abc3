"""Four eyes and the RACI table, over sequences of anything that anybody may do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from casemate.core.assessment import Disposition
from casemate.core.case import Answer, Case, Decision, Review, State, Verdict
from casemate.core.errors import CasemateError, OutOfTurn, RefusedByPolicy, WrongUsage
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Policy, Raci, Reviewing
from casemate.stages.review import decide, same_person

from .test_decide import NOW, draft, review, verdict

FALSE, TRUE = Disposition.FALSE_POSITIVE, Disposition.TRUE_POSITIVE
FOUR_EYES = Policy(review=Reviewing(four_eyes_dispositions=(FALSE,)))


def by(name: str, role: str = "analyst", **changes: object) -> Review:
    return review(reviewer=name, role=role, **changes)


def awaiting() -> Case:
    return decide(draft(), by("ada", disposition=FALSE), FOUR_EYES)


def test_a_disposition_that_needs_a_second_person_awaits_one() -> None:
    case = awaiting()
    assert (case.state, case.reviewed, case.disposition) == (State.AWAITING, False, FALSE)
    closed = decide(case, by("bob", answer=Answer.CONFIRMED), FOUR_EYES)
    assert (closed.state, closed.reviewed, closed.disposition) == (State.CLOSED, True, FALSE)
    assert closed.decision is not None
    assert closed.confirmation is not None
    assert (closed.decision.reviewer, closed.confirmation.reviewer) == ("ada", "bob")


def test_another_disposition_needs_none_and_a_marking_may() -> None:
    assert decide(draft(), by("ada", disposition=TRUE), FOUR_EYES).state is State.CLOSED
    red = Policy(review=Reviewing(four_eyes_markings=(Marking.RED,)))
    assert decide(draft(), by("ada", disposition=TRUE), red).state is State.CLOSED
    case = replace(draft(), marking=Marking.RED)
    assert decide(case, by("ada", disposition=TRUE), red).state is State.AWAITING


@pytest.mark.parametrize("answer", list(Answer))
@pytest.mark.parametrize(
    ("reviewer", "account"),
    [
        ("ada", ""),
        ("ADA", "x"),
        ("\uff41\uff44\uff41", ""),
        (" ada  ", ""),
        ("bob", "ada"),
        ("bob", "desk"),
        ("desk", ""),
    ],
)
def test_nobody_is_their_own_second_person(reviewer: str, account: str, answer: Answer) -> None:
    case = decide(draft(), by("ada", disposition=FALSE, account="desk"), FOUR_EYES)
    with pytest.raises(RefusedByPolicy, match="their own second person") as caught:
        decide(case, by(reviewer, reason="r", answer=answer, account=account), FOUR_EYES)
    assert "analyst, reviewer, admin" in caught.value.way_out


def test_sent_back_needs_a_reason_and_leaves_what_was_proposed() -> None:
    case = awaiting()
    with pytest.raises(WrongUsage, match="without a reason"):
        decide(case, by("bob", answer=Answer.SENT_BACK, reason="  "), FOUR_EYES)
    back = decide(case, by("bob", answer=Answer.SENT_BACK, reason="look at host b"), FOUR_EYES)
    assert (back.state, back.disposition) == (State.IN_REVIEW, TRUE)
    with pytest.raises(OutOfTurn):
        decide(back, by("eve", answer=Answer.CONFIRMED), FOUR_EYES)
    assert decide(back, by("ada", disposition=FALSE), FOUR_EYES).state is State.AWAITING


def test_an_edit_resets_the_first_decision_and_a_note_does_not() -> None:
    case = awaiting()
    noted = decide(case, by("eve", reason="seen before"), FOUR_EYES)
    assert noted.state is State.AWAITING
    assert decide(noted, by("bob", answer=Answer.CONFIRMED), FOUR_EYES).state is State.CLOSED
    edited = decide(case, by("eve", decisions=(verdict(reviewer="eve"),)), FOUR_EYES)
    assert edited.state is State.IN_REVIEW
    with pytest.raises(OutOfTurn, match="awaits no second person"):
        decide(edited, by("bob", answer=Answer.CONFIRMED), FOUR_EYES)
    anew = decide(case, by("bob", disposition=FALSE), FOUR_EYES)
    with pytest.raises(RefusedByPolicy):
        decide(anew, by("bob", answer=Answer.CONFIRMED), FOUR_EYES)
    assert decide(anew, by("ada", answer=Answer.CONFIRMED), FOUR_EYES).reviewed


def test_an_answer_changes_nothing_in_the_same_breath() -> None:
    for change in ({"disposition": TRUE}, {"decisions": (verdict(reviewer="bob"),)}):
        with pytest.raises(WrongUsage, match="same breath"):
            decide(awaiting(), by("bob", answer=Answer.CONFIRMED, **change), FOUR_EYES)
    for state in (State.DRAFT, State.IN_REVIEW, State.CLOSED):
        with pytest.raises(OutOfTurn):
            decide(replace(draft(), state=state), by("bob", answer=Answer.CONFIRMED), FOUR_EYES)


def test_a_case_that_awaits_goes_on_awaiting_when_the_policy_changes() -> None:
    assert decide(awaiting(), by("bob", answer=Answer.CONFIRMED), Policy()).state is State.CLOSED
    assert decide(awaiting(), by("ada", reason="a note"), Policy()).state is State.AWAITING


TABLE = Policy(
    review=Reviewing(
        four_eyes_dispositions=(FALSE,),
        raci=(
            Raci(
                dispositions=(FALSE,),
                responsible=(Role.ANALYST,),
                accountable=(Role.REVIEWER,),
                consulted=(Role.ADMIN, Role.REVIEWER),
                consult_first=True,
                informed=(Role.READER,),
            ),
            Raci(markings=(Marking.AMBER,), responsible=(Role.REVIEWER,)),
        ),
    )
)


def test_the_first_row_that_fits_says_who() -> None:
    duties = TABLE.duties(FALSE, Marking.AMBER)
    assert (duties.responsible, duties.accountable, duties.informed) == (("analyst",), ("reviewer",), ("reader",))
    assert duties.second
    assert TABLE.duties(TRUE, Marking.AMBER).responsible == ("reviewer",)
    assert TABLE.duties(TRUE, Marking.RED).responsible == TABLE.deciding_roles
    with pytest.raises(RefusedByPolicy) as caught:
        decide(draft(), by("ada", disposition=TRUE), TABLE)
    assert caught.value.way_out.endswith("roles: reviewer")


def test_the_consulted_speak_first_and_the_accountable_confirm() -> None:
    with pytest.raises(OutOfTurn, match="consulted") as caught:
        decide(draft(), by("ada", disposition=FALSE), TABLE)
    assert caught.value.way_out.endswith("admin, reviewer")
    own = decide(draft(), by("Ada", "reviewer", reason="mine"), TABLE)
    for noted in (own, decide(draft(), by("eve", "analyst", reason="x"), TABLE)):
        with pytest.raises(OutOfTurn):
            decide(noted, by("ada", disposition=FALSE), TABLE)
    silent = decide(draft(), by("eve", "admin", decisions=(verdict(reviewer="eve"),)), TABLE)
    with pytest.raises(OutOfTurn):
        decide(silent, by("ada", disposition=FALSE), TABLE)
    case = decide(decide(draft(), by("eve", "admin", reason="a scanner"), TABLE), by("ada", disposition=FALSE), TABLE)
    with pytest.raises(RefusedByPolicy, match="confirm") as caught:
        decide(case, by("bob", "admin", answer=Answer.CONFIRMED), TABLE)
    assert caught.value.way_out.endswith("roles: reviewer")
    closed = decide(case, by("bob", "reviewer", answer=Answer.CONFIRMED), TABLE)
    assert closed.reviewed
    with pytest.raises(OutOfTurn, match="consulted"):
        decide(closed, by("ada", disposition=FALSE, reason="again"), TABLE)


class Deciding(RuleBasedStateMachine):
    """Four people do anything to a case under a policy of four eyes, each from any account."""

    def __init__(self) -> None:
        super().__init__()
        self.case = draft()
        self.policy = FOUR_EYES

    @initialize(
        dispositions=st.sets(st.sampled_from(Disposition)),
        markings=st.sets(st.sampled_from(Marking)),
        table=st.booleans(),
    )
    def the_policy_says(self, dispositions: set[Disposition], markings: set[Marking], table: bool) -> None:
        rows = TABLE.review.raci if table else ()
        self.policy = Policy(review=Reviewing(tuple(dispositions), tuple(markings), rows))

    @rule(
        reviewer=st.sampled_from(["ada", "Ada", "bob", "eve"]),
        account=st.sampled_from(["", "desk", "ada", "bob"]),
        role=st.sampled_from(["analyst", "reviewer", "admin", "reader"]),
        judges=st.booleans(),
        disposition=st.none() | st.sampled_from(Disposition),
        answer=st.none() | st.sampled_from(Answer),
        reason=st.sampled_from(["", "because"]),
    )
    def someone_acts(
        self,
        reviewer: str,
        account: str,
        role: str,
        judges: bool,
        disposition: Disposition | None,
        answer: Answer | None,
        reason: str,
    ) -> None:
        time = NOW + timedelta(minutes=len(self.case.reviews))
        decisions = (Decision("F1", Verdict.REJECTED, reviewer, time),) if judges else ()
        made = Review(reviewer, role, time, decisions, disposition, reason, answer, account)
        before = self.case
        try:
            self.case = decide(before, made, self.policy)
        except CasemateError:
            return
        duties = self.policy.duties(self.case.disposition, self.case.marking)
        if answer is not None:
            assert before.state is State.AWAITING
            first = before.decision
            assert first is not None
            assert not same_person(first, made)
            assert role in self.policy.duties(before.disposition, before.marking).accountable
        if self.case.state is State.CLOSED:
            assert duties.second <= (answer is Answer.CONFIRMED)
        if disposition is not None:
            assert role in duties.responsible
            assert (self.case.state is State.AWAITING) == duties.second
        if judges:
            assert disposition is not None or self.case.state is State.IN_REVIEW

    @invariant()
    def what_is_closed_was_decided_by_two_where_two_are_asked_for(self) -> None:
        if self.case.state is not State.CLOSED:
            return
        decided = self.case.decision
        assert decided is not None
        if self.policy.duties(self.case.disposition, self.case.marking).second:
            confirmed = self.case.confirmation
            assert confirmed is not None
            assert confirmed is self.case.reviews[-1]
            assert not same_person(decided, confirmed)
            between = self.case.reviews[self.case.reviews.index(decided) + 1 : -1]
            assert not [one for one in between if one.decisions or one.answer is not None], "nothing was edited since"

    @invariant()
    def nothing_but_a_closed_case_counts_as_reviewed(self) -> None:
        assert self.case.reviewed == (self.case.state is State.CLOSED)


TestDeciding = Deciding.TestCase
TestDeciding.settings = settings(max_examples=80, stateful_step_count=20)

from casemate.core.assessment import Disposition, Proposal
from casemate.core.digest import Digest
from casemate.core.finding import Citation
from casemate.core.text import Span
from casemate.tasks.triage.judging import add_judgement, finding_of_judgement, finding_of_shown, judgement_differs

CITATION = Citation(Span(Digest("a" * 64), 0, 4), "text")


def judged(probability: float, priority: int):
    return finding_of_judgement(probability, priority, 3, 90, ["rule"], (CITATION,), Digest("b" * 64))


def test_without_a_judgement_the_proposal_stays():
    proposal = Proposal(Disposition.UNDETERMINED, ("nothing here decides it",), 4)
    assert add_judgement(proposal, [finding_of_shown("T1059", 0.9, CITATION, Digest("b" * 64))]) == proposal


def test_the_specialist_never_changes_the_disposition_and_never_makes_it_less_urgent():
    for disposition in Disposition:
        for priority in range(1, 6):
            for other in range(1, 6):
                proposal = Proposal(disposition, ("by rule",), priority)
                after = add_judgement(proposal, [judged(0.9, other)])
                assert after.disposition is disposition
                assert after.priority == min(priority, other)
                assert after.reasons[0] == "by rule"


def test_both_are_told_where_they_differ():
    after = add_judgement(Proposal(Disposition.BENIGN_POSITIVE, ("known",), 4), [judged(0.93, 1)])
    assert "93%" in after.reasons[-1]
    assert "the rules say benign-positive, priority 4; both stand" in after.reasons[-1]
    assert "both stand" not in add_judgement(Proposal(Disposition.UNDETERMINED, (), 2), [judged(0.6, 2)]).reasons[-1]


def test_findings_carry_probability_digest_and_basis():
    for finding in (judged(0.5, 2), finding_of_shown("T1059", 0.75, CITATION, Digest("b" * 64))):
        assert finding.basis == "specialist"
        assert finding.probability in {0.5, 0.75}
        assert finding.maker == Digest("b" * 64)
        assert finding.severity == 0


def test_rules_and_specialist_that_lean_to_opposite_sides_are_both_told_to_the_person():
    (issue,) = judgement_differs(Proposal(Disposition.BENIGN_POSITIVE, ("by rule",), 4), [judged(0.9, 1)])
    assert issue.code == "opinions-differ"
    assert "the rule set says no attack" in issue.message
    assert "the specialist says an attack (90%)" in issue.message


def test_nobody_differs_from_an_undetermined_case_or_from_agreement():
    assert not judgement_differs(Proposal(Disposition.UNDETERMINED, (), 3), [judged(0.9, 1)])
    assert not judgement_differs(Proposal(Disposition.TRUE_POSITIVE, (), 1), [judged(0.9, 1)])
    assert not judgement_differs(Proposal(Disposition.BENIGN_POSITIVE, (), 4), [])

"""What the learned specialists say, as findings and beside the rules' proposal."""

from collections.abc import Sequence
from dataclasses import replace

from casemate.core.assessment import Disposition, Proposal
from casemate.core.digest import Digest
from casemate.core.finding import Citation, Finding
from casemate.core.issue import Issue
from casemate.stages.validate.opinions import Opinion, find_disagreement

JUDGED = "alerts-judged"
"""The reference of the finding about how likely the alerts are of an attack."""


def finding_of_shown(technique: str, probability: float, citation: Citation, maker: Digest) -> Finding:
    """Tell a technique that a sentence shows, as estimated by the specialist."""
    detail = f"the specialist gives it {chance_in_words(probability)}"
    return Finding(
        "",
        "technique",
        technique,
        detail,
        "specialist",
        (citation,),
        reference=technique,
        probability=round(probability, 4),
        maker=maker,
    )


def finding_of_judgement(
    probability: float,
    priority: int,
    above: int,
    groups: int,
    rules: Sequence[str],
    citations: tuple[Citation, ...],
    maker: Digest,
) -> Finding:
    """Tell which alerts deserve a look first, and how likely the likeliest are of an attack.

    It has no severity, so that the rules of the proposal stay alone.
    """
    detail = (
        f"likeliest of an attack, {chance_in_words(probability)}: {'; '.join(rules)}; suggested priority {priority}; "
        f"the other {groups - above:,} groups are below the cut, which is set for few misses and closes nothing"
    )
    return Finding(
        "",
        "judgement",
        f"{above:,} of {groups:,} groups of alerts to look at first",
        detail,
        "specialist",
        citations,
        reference=f"{JUDGED}:{priority}",
        probability=round(probability, 4),
        maker=maker,
    )


def chance_in_words(probability: float) -> str:
    """Write a probability for a person, neither 0 % nor 100 %."""
    return "under 1%" if probability < 0.01 else "over 99%" if probability > 0.99 else f"{probability:.0%}"


def add_judgement(proposal: Proposal, findings: Sequence[Finding]) -> Proposal:
    """Put what the specialist says beside what the rules say; the disposition stays that of the rules.

    The priority becomes the more urgent of the two, and where they differ the reason tells both.
    """
    judged = [one for one in findings if one.reference.startswith(f"{JUDGED}:") and one.probability is not None]
    if not judged:
        return proposal
    best = max(judged, key=lambda one: one.probability or 0.0)
    priority = int(best.reference.rpartition(":")[2])
    chance = chance_in_words(best.probability or 0.0)
    said = f"the specialist gives the likeliest alerts {chance} to be of an attack, priority {priority}"
    calm = proposal.disposition in {Disposition.BENIGN_POSITIVE, Disposition.FALSE_POSITIVE}
    if priority != proposal.priority or (calm and priority <= 2):
        said += f"; the rules say {proposal.disposition.value}, priority {proposal.priority}; both stand"
    reasons = (*proposal.reasons, said)
    return replace(proposal, reasons=reasons, priority=min(priority, proposal.priority))


_LEANS = {
    Disposition.TRUE_POSITIVE: "an attack",
    Disposition.BENIGN_POSITIVE: "no attack",
    Disposition.FALSE_POSITIVE: "no attack",
}
"""What a proposed disposition says of the alerts; undetermined says nothing, and differs from nobody."""


def judgement_differs(proposal: Proposal, findings: Sequence[Finding]) -> tuple[Issue, ...]:
    """Tell that the rules and the specialist lean to opposite sides; the person decides, nothing is chosen here.

    A priority of 1 or 2 leans to an attack, one of 4 or 5 to none.
    """
    opinions = [Opinion("the rule set", _LEANS.get(proposal.disposition, ""))]
    for one in findings:
        if one.reference.startswith(f"{JUDGED}:") and one.probability is not None:
            priority = int(one.reference.rpartition(":")[2])
            lean = "an attack" if priority <= 2 else "no attack" if priority >= 4 else ""
            opinions.append(Opinion("the specialist", lean, one.probability))
    issue = find_disagreement("what the alerts are", opinions)
    return (issue,) if issue is not None else ()

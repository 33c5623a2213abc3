"""Assessments: the summary, the proposed disposition and the questions to ask next."""

from dataclasses import dataclass
from enum import StrEnum

from casemate.core.finding import Citation


class Disposition(StrEnum):
    """What an alert turned out to be; a machine proposes it, a person decides it."""

    TRUE_POSITIVE = "true-positive"
    BENIGN_POSITIVE = "benign-positive"
    FALSE_POSITIVE = "false-positive"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a summary and the citations that carry it; `basis` is `model` or `composed` (from findings)."""

    text: str
    citations: tuple[Citation, ...]
    basis: str = "composed"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A disposition that the machine proposes, with the reasons and the priority (1 look now .. 5 no hurry)."""

    disposition: Disposition
    reasons: tuple[str, ...]
    priority: int = 3


@dataclass(frozen=True, slots=True)
class Assessment:
    """What triage says about a case, before any person has looked."""

    summary: tuple[Sentence, ...]
    proposal: Proposal
    questions: tuple[str, ...]

"""What a summary may not pass over: the gravest finding, or, where none is graded, what a report is about."""

from collections.abc import Sequence

from casemate.core.assessment import Sentence
from casemate.core.finding import Finding
from casemate.tasks.excerpts import UNTOLD, overlap

_NO_NEWS = frozenset({"time", "judgement"})
"""Kinds of finding that tell nothing a summary could not do without."""


def must_tell(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Give the findings of which a summary must tell at least one; `findings` stand with the gravest first.

    That is the gravest one whose lines a model may be shown. Where none has a severity, as in a report, it is any of
    those that stand in it more than once and mean one thing: what is named in passing need not be told.
    """
    told = tuple(one for one in findings if one.citations and one.kind not in UNTOLD | _NO_NEWS)
    graded = tuple(one for one in told if one.severity)[:1]
    return graded or tuple(one for one in told if len(one.citations) > 1 and not one.candidates)


def passed_over(sentences: Sequence[Sentence], findings: Sequence[Finding]) -> Finding | None:
    """Give the first of the findings if no sentence cites what any of them cites."""
    cited = [one.span for finding in findings for one in finding.citations]
    told = [one.span for sentence in sentences for one in sentence.citations]
    missed = bool(findings) and not any(overlap(one, other) for one in cited for other in told)
    return findings[0] if missed else None

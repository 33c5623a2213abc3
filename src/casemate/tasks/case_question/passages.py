"""Cut the evidence of a case into passages to rank and cite: findings, lines of logs, sentences of prose."""

from collections.abc import Iterator
from dataclasses import dataclass

from casemate.core.case import Case
from casemate.core.evidence import Evidence
from casemate.core.text import Span, Texts
from casemate.stages.classify.units import split_units
from casemate.stages.extract.injections import find_injections
from casemate.stages.extract.templates import template_of

PROSE = frozenset({"text", "markdown", "html", "pdf", "email"})
"""Formats whose name says something about each sentence: that it is of a mail, of a page."""

MOST_PASSAGES = 60_000
"""Passages of one case that are ranked."""


@dataclass(frozen=True, slots=True)
class CasePassage:
    """A run of evidence that may hold an answer: `words` is what is ranked, `kind` what makes two passages alike.

    `finding` is the id of the finding it tells, empty for the evidence itself.
    """

    words: str
    span: Span
    kind: str
    finding: str = ""


def cut_passages(case: Case, texts: Texts, most_chars: int) -> tuple[tuple[CasePassage, ...], bool]:
    """Cut at most `most_chars` characters of the evidence, each piece of it a fair share; tells whether that was all.

    Evidence that talks to a language model is left out: it is told by its finding, in our own words.
    """
    found: list[CasePassage] = []
    for finding in case.findings:
        if finding.citations:
            words = f"{finding.kind} {finding.title}\n{finding.detail}"
            found.append(CasePassage(words, finding.citations[0].span, f"finding {finding.id}", finding.id))
    pieces = [item for item in case.evidence if item.length]
    whole = True
    left = most_chars
    for number, item in enumerate(pieces):
        share = left // (len(pieces) - number)
        whole = whole and item.length <= share
        left -= min(share, item.length)
        found += _pieces(Span(item.id, 0, min(item.length, share)), item, texts)
        if len(found) >= MOST_PASSAGES:
            return tuple(found[:MOST_PASSAGES]), False
    return tuple(found), whole


def _pieces(span: Span, item: Evidence, texts: Texts) -> Iterator[CasePassage]:
    context = f"{item.format} " if item.format in PROSE else ""
    text = texts.slice(span.evidence, span.start, span.end)
    for unit in split_units(text, MOST_PASSAGES):
        if any(True for _ in find_injections(unit.text, 0)):
            continue
        place = Span(span.evidence, span.start + unit.start, span.start + unit.end)
        yield CasePassage(context + unit.text, place, f"{item.source} {template_of(unit.text[:500])}")

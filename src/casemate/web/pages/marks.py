"""Citations as the pages show them: numbered once, told apart by who cites them, and marked in lines of evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from casemate.core.case import Case
from casemate.core.finding import Citation
from casemate.core.text import Span, Texts
from casemate.stages.export import view
from casemate.stages.export.view import Note
from casemate.store import TextLine

SHOWN = 48
"""How many citations a page shows in their lines; the others lead to the reader of the evidence."""


@dataclass(frozen=True, slots=True)
class Cited:
    """One cited span: its number, the sentences of the summary (from 1) and the findings that cite it."""

    number: int
    citation: Citation
    source: str
    sentences: tuple[int, ...]
    findings: tuple[str, ...]

    @property
    def lights(self) -> str:
        """Name the classes by which style sheets find what a sentence rests on."""
        return " ".join(f"e{number}" for number in self.sentences)


@dataclass(frozen=True, slots=True)
class Run:
    """A run of characters of one line: `numbers` are the citations that cover it, `begins` those that begin here."""

    text: str
    numbers: tuple[int, ...]
    begins: tuple[int, ...]


def number_cited(case: Case) -> dict[Span, Cited]:
    """Give numbers to the distinct cited spans, from 1 in the order a reader meets them."""
    names = view.sources(case)
    order: dict[Span, Citation] = {}
    sentences: dict[Span, list[int]] = {}
    findings: dict[Span, list[str]] = {}
    for place, sentence in enumerate(case.assessment.summary, 1):
        for citation in sentence.citations:
            order.setdefault(citation.span, citation)
            sentences.setdefault(citation.span, []).append(place)
    for finding in case.findings:
        for citation in finding.citations:
            order.setdefault(citation.span, citation)
            findings.setdefault(citation.span, []).append(finding.id)
    return {
        span: Cited(
            number,
            citation,
            names.get(span.evidence, span.evidence[:12]),
            tuple(dict.fromkeys(sentences.get(span, ()))),
            tuple(dict.fromkeys(findings.get(span, ()))),
        )
        for number, (span, citation) in enumerate(order.items(), 1)
    }


def notes_of(cited: dict[Span, Cited], texts: Texts) -> dict[Span, Note]:
    """Give the first citations as notes, of which excerpts are made."""
    notes = {}
    for span, one in list(cited.items())[:SHOWN]:
        place, line = (f"line {one.citation.line}", one.citation.line) if one.citation.line else view.where(texts, span)
        notes[span] = Note(one.number, one.citation, one.source, place, line)
    return notes


def runs_of(line: TextLine, cited: Sequence[Cited]) -> list[Run]:
    """Cut a line wherever a citation begins or ends; `cited` are those of its evidence."""
    end = line.start + len(line.text)
    here = [one for one in cited if one.citation.span.start < max(end, line.start + 1)]
    here = [one for one in here if one.citation.span.end > line.start]
    edges = {line.start, end}
    for one in here:
        edges |= {edge for edge in (one.citation.span.start, one.citation.span.end) if line.start < edge < end}
    order = sorted(edges)
    runs = []
    for left, right in pairwise(order):
        over = [one for one in here if one.citation.span.start <= left and right <= one.citation.span.end]
        begins = tuple(one.number for one in over if one.citation.span.start == left)
        text = line.text[left - line.start : right - line.start]
        runs.append(Run(text, tuple(one.number for one in over), begins))
    return runs

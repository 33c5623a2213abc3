"""Decide what a question about a case gets: an exact answer, passages that may hold one, or that the case is silent."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from casemate.core.assessment import Sentence
from casemate.core.case import Case
from casemate.core.finding import Citation, Finding
from casemate.stages.extract.injections import find_injections
from casemate.stages.retrieve.ranking import PassageIndex, Ranked, question_terms
from casemate.tasks.case_question.exact import Cite, Scan, answer_exactly, read_question
from casemate.tasks.case_question.inventory import Records
from casemate.tasks.case_question.passages import CasePassage

SILENT = "The evidence does not say."
"""What is answered when nothing in the case carries an answer."""

MOST_CHARS = 1_000
SHOWN = 8
"""Passages that are shown and given to a model."""

LEAST_COVERED = 0.45
"""The share of a question, by the rarity of its words, that one passage must hold before it is shown as an answer."""

MOST_UNKNOWN = 0.4
"""The share of a question that may stand nowhere in the evidence."""

SENTENCES = 3
"""Findings among the passages shown that are told in words."""

NEAR = 0.5
"""A passage that holds less of the question than this share of what the best one holds is no near one."""

REASONS = {
    "empty": "there is no question",
    "too-long": f"the question is longer than {MOST_CHARS:,} characters",
    "instruction": "the question gives orders to a model",
    "not-there": "what it asks about does not occur in the evidence",
    "none-of-the-kind": "the case holds nothing of the kind",
    "not-covered": "no passage of the evidence holds enough of the question's words",
}
"""Why a question is answered by nothing: a stable code, and what it means."""

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w&-]*[a-z0-9][\w&-]*|\b[A-Z]{2,}[A-Z0-9-]*\b|[\"“'‘]([^\"”'’]{3,60})[\"”'’]")
_PLAIN = frozenset(
    [
        "IP",
        "IPS",
        "URL",
        "URLS",
        "CVE",
        "CVES",
        "ID",
        "IDS",
        "UTC",
        "TTP",
        "TTPS",
        "MITRE",
        "ATT",
        "CK",
        "SHA",
        "MD5",
        "DNS",
        "HTTP",
        "SSH",
    ]
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage shown with an answer: its citation, how well it was ranked, and how much of the question it holds."""

    citation: Citation
    score: float
    covered: float
    finding: str = ""


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """What a question got. `basis` is `counted` (by code), `passages` (ranked, read by nobody) or `silent`.

    `sentences` cite; `passages` come best first; `reason` is a key of `REASONS` when the evidence is silent, and
    `missing` names what was looked for in vain.
    """

    question: str
    basis: str
    sentences: tuple[Sentence, ...] = ()
    passages: tuple[Shown, ...] = ()
    reason: str = ""
    missing: str = ""

    @property
    def answered(self) -> bool:
        """Whether anything of the evidence is given as an answer."""
        return self.basis != "silent"


@dataclass(frozen=True, slots=True)
class CaseBook:
    """What questions about one case are answered from, prepared once."""

    case: Case
    passages: tuple[CasePassage, ...]
    index: PassageIndex
    records: Records
    scan: Scan
    cite: Cite


def answer_question(question: str, book: CaseBook) -> CaseAnswer:
    """Answer without a model: exactly where code can, by passages where they cover the question, else not at all."""
    refused = _refuse(question)
    if refused:
        return CaseAnswer(question, "silent", reason=refused)
    shape = read_question(question, book.scan, book.records.holds)
    exact = answer_exactly(shape, book.case, book.records, book.cite) if shape is not None else None
    if exact is not None:
        if exact.sentences:
            return CaseAnswer(question, "counted", exact.sentences)
        return CaseAnswer(question, "silent", reason="none-of-the-kind", missing=exact.missing)
    missing = missing_names(question, book)
    if missing:
        return CaseAnswer(question, "silent", reason="not-there", missing=missing)
    kinds = [passage.kind for passage in book.passages]
    ranked = book.index.rank(question, kinds, SHOWN)
    shown = tuple(_show(one, book.passages[one.place], book.cite) for one in ranked)
    covered = max((one.covered for one in ranked), default=0.0)
    if covered < LEAST_COVERED or book.index.unknown_share(question) > MOST_UNKNOWN:
        return CaseAnswer(question, "silent", passages=shown, reason="not-covered")
    told = {finding.id: finding for finding in book.case.findings}
    sentences = tuple(
        Sentence(finding_in_words(told[one.finding]), told[one.finding].citations)
        for one in nearest(shown)
        if one.finding in told
    )
    return CaseAnswer(question, "passages", sentences[:SENTENCES], shown)


def nearest(shown: Sequence[Shown]) -> tuple[Shown, ...]:
    """Leave out of the passages shown those that hold much less of the question than the best one."""
    best = max((one.covered for one in shown), default=0.0)
    return tuple(one for one in shown if one.covered >= NEAR * best)


def finding_in_words(finding: Finding) -> str:
    """Tell a finding in one line: its title and what stands behind it."""
    detail = " ".join(finding.detail.split())[:300]
    return f"{finding.title}: {detail}" if detail else finding.title


def _show(ranked: Ranked, passage: CasePassage, cite: Callable[..., Citation]) -> Shown:
    return Shown(cite(passage.span), round(ranked.score, 4), round(ranked.covered, 4), passage.finding)


def _refuse(question: str) -> str:
    if not question.strip():
        return "empty"
    if len(question) > MOST_CHARS:
        return "too-long"
    orders = any(place.kind in {"override", "fake-turn", "fake-answer"} for place in find_injections(question, 0))
    return "instruction" if orders else ""


def missing_names(question: str, book: CaseBook) -> str:
    """Name the first address, id, hash or proper name of a question that does not occur in the evidence."""
    seen = {item.value.casefold() for item in book.case.observables}
    for sighting in book.scan(question):
        value = sighting.value.casefold()
        if value not in seen and not book.records.holds(sighting.value) and not _occurs(sighting.raw, book):
            return sighting.value
    for found in _NAME.finditer(question):
        name = found[1] or found[0]
        if name.upper() not in _PLAIN and not _occurs(name, book):
            return name
    return ""


def _occurs(name: str, book: CaseBook) -> bool:
    terms = question_terms(name)
    return bool(terms) and all(book.index.holds(term) for term in terms)

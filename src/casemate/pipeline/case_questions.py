"""Answer a question about a stored case: count its records again, rank its passages, ask a model where code cannot."""

from dataclasses import replace

from casemate.core.case import Case
from casemate.core.draft import Draft
from casemate.core.issue import Issue, Severity
from casemate.core.text import Texts
from casemate.pipeline.drafting import Progress, draft
from casemate.pipeline.records import read_records
from casemate.pipeline.tools import Tools
from casemate.stages.retrieve.ranking import PassageIndex
from casemate.store import Store
from casemate.tasks.case_question.answer import CaseBook, answer_question
from casemate.tasks.case_question.asking import TASK, build_material
from casemate.tasks.case_question.passages import cut_passages
from casemate.tasks.summary import citer

MOST_CHARS = 4_000_000
"""Characters of the evidence of one case that are ranked for a question."""


def open_book(case: Case, store: Store, texts: Texts, tools: Tools) -> tuple[CaseBook, tuple[Issue, ...]]:
    """Prepare what questions about a case are answered from; issues tell what could not be looked at.

    What a person rejected is left out.
    """
    limits = tools.policy.limits
    case = case.standing()
    passages, whole = cut_passages(case, texts, MOST_CHARS)
    records = read_records(case, store, limits)
    issues = []
    if not whole:
        message = (
            f"only {MOST_CHARS:,} characters of the evidence were looked through, each piece of it from its beginning"
        )
        issues.append(Issue("evidence-left-out", Severity.WARNING, message, way_out="ask of a smaller case"))
    if not records.whole:
        message = "some records could not be read again; what is counted is a lower bound"
        way_out = "raise limits.original_bytes before triage, so that the original is kept"
        issues.append(Issue("records-missing", Severity.WARNING, message, way_out=way_out))
    index = PassageIndex(passage.words for passage in passages)
    cite = citer(texts, limits.quote_chars)
    book = CaseBook(case, passages, index, records, lambda text: tools.scanner.scan(text, 0), cite)
    return book, tuple(issues)


def ask_case(
    question: str,
    case: Case,
    store: Store,
    texts: Texts,
    tools: Tools,
    *,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Draft:
    """Answer one question; the draft says by its basis who answered, and its facts are the passages that were found."""
    progress("looking through the case")
    book, issues = open_book(case, store, texts, tools)
    answer = answer_question(question, book)
    made = draft(TASK, build_material(answer, book), tools, texts, seed=seed, progress=progress)
    return replace(made, issues=(*issues, *made.issues))

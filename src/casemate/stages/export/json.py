"""The case as JSON, in the form of the public contract; `case.schema.json` beside this file describes it."""

import dataclasses
import json
import re
from collections.abc import Sequence
from datetime import datetime

from casemate.core.case import Case, TimelineEntry
from casemate.core.draft import Draft
from casemate.core.finding import Citation, Finding
from casemate.core.observable import Observable
from casemate.core.text import Texts
from casemate.stages.export.draft_form import draft_form
from casemate.stages.export.form import (
    CaseForm,
    CitationForm,
    DraftForm,
    EventForm,
    FindingForm,
    ObservableForm,
    ProposalForm,
    SentenceForm,
    TimelineForm,
)
from casemate.stages.export.view import verdict_of

_BEYOND_ASCII = re.compile("[^\x00-\x7e]+")


def render_json(case: Case, _texts: Texts, drafts: Sequence[Draft] = ()) -> bytes:
    r"""Write a case as one JSON object: stable key order, ASCII only, two spaces deep, a line end at the end.

    Everything beyond printable ASCII is a `\u` escape, so the output is safe on a terminal too. A lone surrogate in
    evidence comes out as its own escape (RFC 8259, section 8.2).
    """
    return write_form(case_form(case, drafts))


def render_draft_json(draft: Draft) -> bytes:
    """Write a draft as one JSON object in the same way."""
    return write_form(draft_form(draft))


def write_form(form: CaseForm | DraftForm) -> bytes:
    """Write a form as JSON that is safe on a terminal."""
    import orjson

    try:
        text = orjson.dumps(form, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # orjson refuses lone surrogates; the standard library writes them
        text = json.dumps(dataclasses.asdict(form), indent=2, ensure_ascii=False, allow_nan=False, default=_time)
    if not text.isascii() or "\x7f" in text:
        text = _BEYOND_ASCII.sub(_escape, text)
    return text.encode("ascii") + b"\n"


def case_form(case: Case, drafts: Sequence[Draft] = ()) -> CaseForm:
    """Lay a case out as the contract has it."""
    proposal = case.assessment.proposal
    return CaseForm(
        id=case.id,
        title=case.title,
        created=case.created,
        marking=case.marking,
        state=case.state,
        reviewed=case.reviewed,
        disposition=case.disposition,
        proposal=ProposalForm(proposal.disposition, proposal.priority, proposal.reasons),
        summary=tuple(
            SentenceForm(sentence.text, tuple(map(_citation, sentence.citations)), sentence.basis)
            for sentence in case.assessment.summary
        ),
        findings=tuple(_finding(case, finding) for finding in case.findings),
        timeline=tuple(map(_entry, case.timeline)),
        observables=tuple(map(_observable, case.observables)),
        related=case.related,
        questions=case.assessment.questions,
        issues=case.issues,
        passages=case.passages,
        evidence=case.evidence,
        reviews=case.reviews,
        run=case.run,
        drafts=tuple(map(draft_form, drafts)),
    )


def case_schema() -> dict[str, object]:
    """Make the JSON Schema (2020-12) of what `render_json` writes."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(CaseForm).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]


def _time(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _citation(citation: Citation) -> CitationForm:
    span = citation.span
    return CitationForm(span.evidence, span.start, span.end, citation.quote, citation.line)


def _finding(case: Case, finding: Finding) -> FindingForm:
    return FindingForm(
        id=finding.id,
        kind=finding.kind,
        title=finding.title,
        detail=finding.detail,
        reference=finding.reference,
        candidates=finding.candidates,
        basis=finding.basis,
        maker=finding.maker,
        probability=finding.probability,
        severity=finding.severity,
        review=verdict_of(case, finding),
        citations=tuple(map(_citation, finding.citations)),
    )


def _observable(seen: Observable) -> ObservableForm:
    return ObservableForm(seen.type, seen.value, seen.hash, seen.raw, seen.count, seen.flags, seen.layers, seen.spans)


def _entry(entry: TimelineEntry) -> TimelineForm:
    event = entry.event
    form = EventForm(
        event.kind,
        event.time,
        event.rule,
        event.message,
        event.severity,
        event.is_alert,
        event.techniques,
        event.fields,
    )
    return TimelineForm(entry.first, entry.last, entry.count, form, entry.span)

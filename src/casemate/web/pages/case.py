"""One case: what is proposed and what it rests on, what a person may decide, and everything behind it."""

from typing import Annotated

from fastapi import Form, Query, Request, Response
from starlette.responses import RedirectResponse

from casemate.core.assessment import Disposition
from casemate.core.case import Answer, Case, Review, State, Verdict
from casemate.core.digest import Digest
from casemate.core.evidence import Evidence
from casemate.core.feature import Feature
from casemate.core.finding import Finding
from casemate.core.observable import Observable
from casemate.core.person import Right
from casemate.stages.export import view
from casemate.stages.export.chart import chart_of
from casemate.stages.export.excerpts import excerpts_of
from casemate.stages.review import same_person
from casemate.stages.validate import CHECKS
from casemate.store import ObservableQuery, Opened, StoredTexts, TextLine
from casemate.web.api.cases import MEDIA, CaseId, EvidenceId, ReviewGiven, VerdictGiven, note_reading, review_as
from casemate.web.doorkeeper import Asked, Visit
from casemate.web.pages.marks import notes_of, number_cited, runs_of
from casemate.web.pages.render import render_page
from casemate.web.problems import Refused

FINDINGS = 60
ROWS = 12
CHARTED = 200
PAGE_ROWS = 100
LINES = 120
CONTEXT = 12
EXCERPT_CHARS = 40_000
OPENINGS = 4
OPENING_LINES = 60
TEXT = 2000

Cursor = Annotated[str, Query(max_length=400)]


def show_case(
    request: Request, visit: Asked, case_id: CaseId, every: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """Show a case; `every` shows all findings of one that has many."""
    opened = _opened(visit, case_id)
    case = opened.case
    note_reading(visit, case)
    texts = visit.seen.texts(case_id)
    timeline = visit.seen.timeline(case_id, CHARTED)
    observables = visit.seen.observables(ObservableQuery(case_id), ROWS)
    if texts is None or timeline is None or observables is None:
        raise Refused(404, "there is no such case")
    cited = number_cited(case)
    notes = notes_of(cited, texts)
    shown = case.reworded()
    checked = [issue for issue in case.issues if issue.code in CHECKS]
    group = visit.seen.group_of(case_id)
    values = {
        "opened": opened,
        "case": shown,
        "cited": cited,
        "by_number": {one.number: one for one in cited.values()},
        "in_lines": {one.number for one in notes.values()},
        "openings": _openings(case, texts, visit) if opened.withheld else (),
        "excerpts": [one for one in excerpts_of(case, texts, notes, EXCERPT_CHARS) if one.windows or one.quoted],
        "findings": shown.findings if every else shown.findings[:FINDINGS],
        "decisions": case.verdicts(),
        "verdicts": Verdict,
        "matrix": view.by_tactic(shown),
        "chart": chart_of(timeline.rows),
        "charted": len(timeline.rows),
        "timeline": timeline.rows[:ROWS],
        "observables": observables.rows,
        "sightings": _sightings(visit, case_id, observables.rows),
        "sources": view.sources(case),
        "drafts": visit.seen.drafts(case_id),
        "run_facts": view.run_facts(case),
        "checked": checked,
        "issues": [issue for issue in case.issues if issue.code not in CHECKS],
        "history": visit.seen.history(case_id),
        "formats": list(MEDIA),
        "group": group,
        "may_review": visit.person.may(Right.REVIEW),
        **_duties(visit, case),
        "dispositions": list(Disposition),
        "last_review": case.decision,
        "strength": _strength,
    }
    return render_page(request, "case", values)


def review_case(
    visit: Asked,
    case_id: CaseId,
    revision: Annotated[int, Form(ge=1, le=2**53)] = 1,
    finding: Annotated[str, Form(max_length=40)] = "",
    verdict: Annotated[str, Form(max_length=20)] = "",
    wording: Annotated[str, Form(max_length=TEXT)] = "",
    disposition: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=TEXT)] = "",
    answer: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Take what a form decides: a verdict on one finding, a disposition, an answer, a note; show the case again."""
    _opened(visit, case_id)
    given = _given(revision, finding, verdict, wording, disposition, reason, answer)
    review_as(visit, case_id, given)
    return RedirectResponse(f"/cases/{case_id}#{'f-' + finding if finding else 'decide'}", 303)


def _given(
    revision: int, finding: str, verdict: str, wording: str, disposition: str, reason: str, answer: str
) -> ReviewGiven:
    try:
        if answer:
            return ReviewGiven(revision, reason=reason.strip(), answer=Answer(answer))
        chosen = Disposition(disposition) if disposition else None
        judged = Verdict(verdict) if finding else None
    except ValueError:
        raise Refused(400, "the form says something that cannot be decided", "load the page again") from None
    if judged is None:
        return ReviewGiven(revision, (), chosen, reason.strip())
    better = wording.strip() if judged is Verdict.ACCEPTED else ""
    # The reason belongs to the verdict, and to the review too, which a closed case asks for.
    return ReviewGiven(revision, (VerdictGiven(finding, judged, reason.strip(), better),), chosen, reason.strip())


def show_evidence(
    request: Request,
    visit: Asked,
    case_id: CaseId,
    evidence: EvidenceId,
    line: Annotated[int, Query(ge=1, le=2**53)] = 1,
    at: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> Response:
    """Show a window of lines of one piece of evidence, from `line` on or around the character `at`."""
    opened = _opened(visit, case_id)
    case = opened.case
    piece = _piece(case, evidence)
    note_reading(visit, case, evidence)
    texts = visit.seen.texts(case_id)
    if texts is None:
        raise Refused(404, "there is no such case")
    limits = visit.policy.limits
    here = 0
    if at is not None:
        here = texts.line_at(piece.id, at)
        line = max(here - CONTEXT, 1)
    count = min(LINES, limits.evidence_lines)
    lines = texts.lines(piece.id, line, count, limits.line_chars)
    cited = number_cited(case)
    own = [one for one in cited.values() if one.citation.span.evidence == piece.id]
    if lines:
        end = lines[-1].start + len(lines[-1].text) + 1
        own = [one for one in own if one.citation.span.start < end and one.citation.span.end > lines[0].start]
    values = {
        "opened": opened,
        "case": case,
        "piece": piece,
        "rows": [(one, runs_of(one, own)) for one in lines],
        "by_number": {one.number: one for one in own},
        "here": here,
        "line": line,
        "before": max(line - count, 1) if line > 1 else 0,
        "following": line + count if len(lines) == count else 0,
    }
    return render_page(request, "evidence", values)


def show_observables(
    request: Request,
    visit: Asked,
    case_id: CaseId,
    type: Annotated[str, Query(max_length=60)] = "",  # noqa: A002 - the name in the address
    q: Annotated[str, Query(max_length=200)] = "",
    unflagged: Annotated[str, Query(max_length=5)] = "",
    after: Cursor = "",
) -> Response:
    """Show the observables of a case, a page at a time."""
    opened = _opened(visit, case_id)
    note_reading(visit, opened.case)
    page = visit.seen.observables(ObservableQuery(case_id, type, q, bool(unflagged)), PAGE_ROWS, after)
    if page is None:
        raise Refused(404, "there is no such case")
    values = {
        "opened": opened,
        "case": opened.case,
        "page": page,
        "asked": {"type": type, "q": q, "unflagged": unflagged},
        "sightings": _sightings(visit, case_id, page.rows),
        "sources": view.sources(opened.case),
    }
    return render_page(request, "observables", values)


def show_timeline(request: Request, visit: Asked, case_id: CaseId, after: Cursor = "") -> Response:
    """Show the timeline of a case, a page at a time."""
    opened = _opened(visit, case_id)
    note_reading(visit, opened.case)
    page = visit.seen.timeline(case_id, PAGE_ROWS, after)
    if page is None:
        raise Refused(404, "there is no such case")
    values = {"opened": opened, "case": opened.case, "page": page, "chart": chart_of(page.rows)}
    return render_page(request, "timeline", values)


def _opened(visit: Visit, case_id: str) -> Opened:
    opened = visit.seen.opened(case_id)
    if opened is None:
        raise Refused(404, "there is no such case")
    return opened


def _piece(case: Case, evidence: str) -> Evidence:
    for piece in case.evidence:
        if piece.id == Digest(evidence):
            return piece
    raise Refused(404, "there is no such evidence in this case")


def _openings(case: Case, texts: StoredTexts, visit: Visit) -> list[tuple[Evidence, tuple[TextLine, ...]]]:
    """Give the first lines of the first pieces of evidence, which is what there is to read without citations."""
    most = visit.policy.limits.line_chars
    return [(piece, texts.lines(piece.id, 1, OPENING_LINES, most)) for piece in case.evidence[:OPENINGS]]


def _sightings(visit: Visit, case_id: str, observables: tuple[Observable, ...]) -> dict[tuple[str, str], int]:
    """Count the other cases that hold each observable, as far as this person may see them."""
    wanted = tuple(Feature("observable", f"{seen.type}:{seen.value}") for seen in observables)
    counted = visit.seen.features().frequencies(wanted, case_id)[1]
    keys = ((seen.type, seen.value) for seen in observables)
    return {key: counted.get(feature, 0) for key, feature in zip(keys, wanted, strict=True)}


def _duties(visit: Visit, case: Case) -> dict[str, object]:
    """Say who does what for the disposition that the case has, and what this person may do about it."""
    role, may = visit.person.role.value, visit.person.may(Right.REVIEW)
    duties = {value: visit.policy.duties(value, case.marking) for value in Disposition}
    now = duties[case.disposition]
    allowed = [value for value, one in duties.items() if may and role in one.responsible]
    if case.reviewed and role not in (*now.responsible, *now.accountable):
        allowed = []
    first = case.decision
    awaited = case.state is State.AWAITING and first is not None
    name = visit.person.name
    own = first is not None and same_person(first, Review(name, role, first.time, account=name))
    return {
        "duties": now,
        "allowed": allowed,
        "deciding": sorted({name for one in duties.values() for name in one.responsible}),
        "awaited": awaited,
        "may_confirm": awaited and may and not own and role in now.accountable,
        "may_reopen": may and (not case.reviewed or role in (*now.responsible, *now.accountable)),
    }


def _strength(finding: Finding) -> int:
    """Say in four steps how sure a finding is, for the shade of its cell in the matrix."""
    if finding.probability is None:
        return 4 if finding.basis in {"named", "computed"} else 2
    return 1 + min(int(finding.probability * 4), 3)

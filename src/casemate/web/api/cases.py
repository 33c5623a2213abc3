"""Cases: lists, what is in them, what people decide about them, and exports."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, TypeVar

from fastapi import Body, Path, Query, Response
from pydantic import ConfigDict

from casemate.audit import NewAuditEvent
from casemate.core.assessment import Assessment, Disposition
from casemate.core.audit import AuditEvent
from casemate.core.case import Answer, Case, Decision, RelatedCase, Review, Run, State, TimelineEntry, Verdict
from casemate.core.digest import Digest, digest_bytes
from casemate.core.draft import Draft
from casemate.core.errors import StoreFailed
from casemate.core.evidence import Evidence
from casemate.core.finding import Finding
from casemate.core.issue import Issue
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.passage import Passage
from casemate.core.person import Right
from casemate.pipeline.deciding import Decided as Stored
from casemate.pipeline.deciding import review_case as store_review
from casemate.policy import Duties
from casemate.stages.export import FORMATS, render
from casemate.store import CaseLine, CaseQuery, ObservableQuery, Opened, TextLine
from casemate.web.api.answers import Limit, List
from casemate.web.doorkeeper import Asked, Visit
from casemate.web.problems import Refused

CaseId = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
Cursor = Annotated[str, Query(max_length=400, description="`next` of the page before")]
EvidenceId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="its SHA-256")]
Found = TypeVar("Found")

MEDIA = {
    "text": ("text/plain; charset=utf-8", "txt"),
    "json": ("application/json", "json"),
    "markdown": ("text/markdown; charset=utf-8", "md"),
    "html": ("text/html; charset=utf-8", "html"),
    "stix": ("application/stix+json;version=2.1", "stix.json"),
    "misp": ("application/json", "misp.json"),
    "navigator": ("application/json", "navigator.json"),
    "csv": ("text/csv; charset=utf-8", "csv"),
}
"""Export format -> media type and the end of the file's name."""

Format = StrEnum("Format", {name: name for name in FORMATS})  # type: ignore[misc]  # the one list of formats

EXPORT = {
    "responses": {
        "200": {"description": "The case", "content": {media.partition(";")[0]: {} for media, _end in MEDIA.values()}}
    }
}
ORIGINAL = {"responses": {"200": {"description": "The bytes", "content": {"application/octet-stream": {}}}}}


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """A case without its observables and timeline, which have lists of their own.

    `revision` is what a review is made from: it is refused when somebody else decided in between. `group` is the alert
    group that led to the case, if one did. `duties` says who is responsible, accountable, consulted and informed for
    the disposition that it has now, and whether a second person must confirm it. While `withheld` is true the case is
    shown without proposals, because the site measures what they save, until somebody has set the disposition.
    """

    id: str
    revision: int
    title: str
    created: datetime
    marking: Marking
    state: State
    disposition: Disposition
    reviewed: bool
    assessment: Assessment
    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]
    passages: tuple[Passage, ...]
    related: tuple[RelatedCase, ...]
    issues: tuple[Issue, ...]
    reviews: tuple[Review, ...]
    run: Run
    observables: int
    timeline: int
    group: int | None
    duties: Duties
    withheld: bool


@dataclass(frozen=True, slots=True)
class VerdictGiven:
    """A verdict on one finding; `wording` is a better title for one that is accepted."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    finding: str
    verdict: Verdict
    reason: str = ""
    wording: str = ""


@dataclass(frozen=True, slots=True)
class ReviewGiven:
    """What a person decides: verdicts, a disposition, or a note. `revision` is that of the case they looked at.

    `answer` is that of a second person to a disposition that awaits one, and stands alone but for its reason.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    revision: int
    decisions: tuple[VerdictGiven, ...] = ()
    disposition: Disposition | None = None
    reason: str = ""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """Where the case stands after a review; without a decided disposition it is the proposed one."""

    revision: int
    state: State
    disposition: Disposition


def list_cases(
    visit: Asked,
    state: State | None = None,
    disposition: Disposition | None = None,
    marking: Marking | None = None,
    priority: Annotated[int | None, Query(ge=1, le=5)] = None,
    q: Annotated[str, Query(max_length=200, description="words that must all occur, the last as a beginning")] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> List[CaseLine]:
    """List cases, the newest first."""
    page = visit.seen.cases(CaseQuery(state, disposition, marking, priority, q), limit, cursor)
    return List(page.rows, page.next)


def show_case(visit: Asked, case_id: CaseId) -> CaseAnswer:
    """Show a case."""
    opened = _opened(visit, case_id)
    case = opened.case
    note_reading(visit, case)
    group = visit.seen.group_of(case_id)
    return CaseAnswer(
        id=case.id,
        revision=opened.revision,
        title=case.title,
        created=case.created,
        marking=case.marking,
        state=case.state,
        disposition=case.disposition,
        reviewed=case.reviewed,
        assessment=case.assessment,
        evidence=case.evidence,
        findings=case.findings,
        passages=case.passages,
        related=case.related,
        issues=case.issues,
        reviews=case.reviews,
        run=case.run,
        observables=opened.observables,
        timeline=opened.entries,
        group=None if group is None else group.number,
        duties=visit.policy.duties(case.disposition, case.marking),
        withheld=opened.withheld,
    )


def list_findings(visit: Asked, case_id: CaseId) -> List[Finding]:
    """Give the findings of a case as the machine proposed them; `reviews` of the case say what became of each."""
    opened = _opened(visit, case_id)
    note_reading(visit, opened.case)
    return List(opened.case.findings)


def list_observables(
    visit: Asked,
    case_id: CaseId,
    *,
    type: Annotated[str, Query(max_length=60)] = "",  # noqa: A002 - the name in the address
    q: Annotated[str, Query(max_length=200)] = "",
    unflagged: bool = False,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> List[Observable]:
    """Give the observables of a case in the order first seen."""
    note_reading(visit, _opened(visit, case_id).case)
    page = _there(visit.seen.observables(ObservableQuery(case_id, type, q, unflagged), limit, cursor), "case")
    return List(page.rows, page.next)


def list_timeline(visit: Asked, case_id: CaseId, limit: Limit = 100, cursor: Cursor = "") -> List[TimelineEntry]:
    """Give the timeline of a case, the earliest first."""
    note_reading(visit, _opened(visit, case_id).case)
    page = _there(visit.seen.timeline(case_id, limit, cursor), "case")
    return List(page.rows, page.next)


def list_lines(
    visit: Asked,
    case_id: CaseId,
    evidence: EvidenceId,
    first: Annotated[int, Query(ge=1, le=2**53, description="number of the first line, from 1")] = 1,
    count: Annotated[int, Query(ge=1, le=2000)] = 200,
) -> List[TextLine]:
    """Give lines of the normalised text of one piece of evidence, with the offsets that citations use."""
    case = _opened(visit, case_id).case
    if not any(item.id == evidence for item in case.evidence):
        raise Refused(404, "there is no such evidence in this case")
    note_reading(visit, case, evidence)
    limits = visit.policy.limits
    texts = _there(visit.seen.texts(case_id), "case")
    return List(texts.lines(Digest(evidence), first, min(count, limits.evidence_lines), limits.line_chars))


def give_original(visit: Asked, case_id: CaseId, evidence: EvidenceId) -> Response:
    """Give one piece of evidence as it was received; it is as hostile as it came."""
    case = _opened(visit, case_id).case
    data = _there(visit.seen.original(case_id, Digest(evidence)), "original")
    note_reading(visit, case, evidence)
    visit.store.record(NewAuditEvent(visit.person.name, "evidence.given", evidence, (("case", case.id),)))
    headers = {"Content-Disposition": f'attachment; filename="{evidence}.bin"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


def export_case(visit: Asked, case_id: CaseId, format: Format) -> Response:  # noqa: A002 - the name in the address
    """Give a case in a format that other tools read; a draft says that it is one."""
    case, _revision = _there(visit.seen.case_at(case_id), "case")
    texts = _there(visit.seen.texts(case_id), "case")
    data = render(case, format.value, texts, visit.seen.drafts(case_id))
    note_reading(visit, case)
    body = (("format", format.value), ("sha256", digest_bytes(data)), ("reviewed", str(case.reviewed).lower()))
    visit.store.record(NewAuditEvent(visit.person.name, "case.exported", case.id, body))
    media, end = MEDIA[format.value]
    headers = {"Content-Disposition": f'attachment; filename="{case.id}.{end}"'}
    return Response(data, media_type=media, headers=headers)


def list_drafts(visit: Asked, case_id: CaseId) -> List[Draft]:
    """Give what tasks wrote about a case for its next reader: proposals, the last of each task and purpose."""
    note_reading(visit, _opened(visit, case_id).case)
    return List(visit.seen.drafts(case_id))


def list_history(visit: Asked, case_id: CaseId) -> List[AuditEvent]:
    """Give what the audit chain tells of a case, oldest first."""
    _opened(visit, case_id)
    return List(visit.seen.history(case_id))


def review_case(visit: Asked, case_id: CaseId, given: Annotated[ReviewGiven, Body()]) -> Decided:
    """Decide about a case in your own name: findings, the disposition, a note, or the answer of a second person."""
    _there(visit.seen.opened(case_id), "case")
    stored = review_as(visit, case_id, given)
    hidden = visit.seen.withheld(case_id)
    shown = Disposition.UNDETERMINED if hidden else stored.case.disposition
    return Decided(stored.revision, stored.case.state, shown)


def review_as(visit: Visit, case_id: str, given: ReviewGiven) -> Stored:
    """Review a case, which the person can see, in their name."""
    name, now = visit.person.name, datetime.now(UTC)
    if given.decisions and visit.seen.withheld(case_id):
        raise Refused(409, "the findings of this case are shown once it is decided", "set the disposition first")
    decisions = tuple(Decision(one.finding, one.verdict, name, now, one.reason, one.wording) for one in given.decisions)
    role = visit.person.role.value
    review = Review(name, role, now, decisions, given.disposition, given.reason, given.answer, account=name)
    return store_review(visit.store, visit.policy, case_id, given.revision, review)


def note_reading(visit: Visit, case: Case, evidence: str = "") -> None:
    """Record who read evidence that is marked red, and when somebody who may review first looked at a case."""
    # A session is a person before a screen; a token may be a program that reads everything.
    if visit.form_key and visit.person.may(Right.REVIEW):
        with suppress(StoreFailed):  # a full disk must not keep anybody from reading
            visit.store.look(case.id, visit.person.name)
    if case.marking is Marking.RED:
        body = (("evidence", evidence),) if evidence else ()
        visit.store.record(NewAuditEvent(visit.person.name, "evidence.viewed", case.id, body))


def _opened(visit: Visit, case_id: str) -> Opened:
    return _there(visit.seen.opened(case_id), "case")


def _there(found: Found | None, what: str) -> Found:
    if found is None:
        raise Refused(404, f"there is no such {what}")
    return found

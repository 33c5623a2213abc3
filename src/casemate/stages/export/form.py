"""The public form of a case as JSON: what scripts and SOC tools build on, field by field."""

from dataclasses import dataclass
from datetime import datetime

from casemate.core.assessment import Disposition
from casemate.core.case import RelatedCase, Review, Run, State
from casemate.core.digest import Digest
from casemate.core.draft import Cited
from casemate.core.evidence import Evidence
from casemate.core.issue import Issue
from casemate.core.marking import Marking
from casemate.core.passage import Passage
from casemate.core.text import Span


@dataclass(frozen=True, slots=True)
class CitationForm:
    """What a span selects, word for word, and the line it begins on."""

    evidence: Digest
    start: int
    end: int
    quote: str
    line: int


@dataclass(frozen=True, slots=True)
class SentenceForm:
    """A summary sentence; `basis` is `model` or `composed`."""

    text: str
    citations: tuple[CitationForm, ...]
    basis: str


@dataclass(frozen=True, slots=True)
class ObservableForm:
    """A thing seen; `hash` is the STIX hash name of a `file`, `flags` the warning lists it stands in."""

    type: str
    value: str
    hash: str
    raw: str
    count: int
    flags: tuple[str, ...]
    layers: tuple[str, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class FindingForm:
    """A proposal and what a person said of it: `review` is `unreviewed`, `accepted` or `rejected`."""

    id: str
    kind: str
    title: str
    detail: str
    reference: str
    candidates: tuple[str, ...]
    basis: str
    maker: Digest | None
    probability: float | None
    severity: int
    review: str
    citations: tuple[CitationForm, ...]


@dataclass(frozen=True, slots=True)
class EventForm:
    """A log record or alert; `fields` are OCSF attribute names and values."""

    kind: str
    time: datetime | None
    rule: str
    message: str
    severity: int
    is_alert: bool
    techniques: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TimelineForm:
    """`count` events of one kind, rule and entity between `first` and `last`; `span` is the first of them."""

    first: datetime
    last: datetime
    count: int
    event: EventForm
    span: Span


@dataclass(frozen=True, slots=True)
class ProposalForm:
    """What the machine proposed; `priority` is 1 (look now) to 5 (no hurry)."""

    disposition: Disposition
    priority: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FactForm:
    """Something that code computed."""

    name: str
    value: str
    citations: tuple[CitationForm, ...]


@dataclass(frozen=True, slots=True)
class SectionForm:
    """A heading and the sentences under it."""

    title: str
    sentences: tuple[SentenceForm, ...]


@dataclass(frozen=True, slots=True)
class DraftRunForm:
    """How the draft was made; `supported` is the share of the model's sentences that held, null when it gave none."""

    version: str
    seed: int
    model: Digest | None
    model_name: str
    prompt: Digest | None
    adapter: str
    requests: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    seconds: float
    proposed: int
    dropped: int
    supported: float | None


@dataclass(frozen=True, slots=True)
class DraftForm:
    """What a task wrote; `reviewed` is always false: a draft is a proposal that no person has read."""

    task: str
    case: str
    about: str
    created: datetime
    marking: Marking
    reviewed: bool
    basis: str
    sections: tuple[SectionForm, ...]
    facts: tuple[FactForm, ...]
    evidence: tuple[Cited, ...]
    issues: tuple[Issue, ...]
    run: DraftRunForm


@dataclass(frozen=True, slots=True)
class CaseForm:
    """A case; `disposition` is a person's while `reviewed` is true, else the proposed one; `drafts` nobody has read."""

    id: str
    title: str
    created: datetime
    marking: Marking
    state: State
    reviewed: bool
    disposition: Disposition
    proposal: ProposalForm
    summary: tuple[SentenceForm, ...]
    findings: tuple[FindingForm, ...]
    timeline: tuple[TimelineForm, ...]
    observables: tuple[ObservableForm, ...]
    related: tuple[RelatedCase, ...]
    questions: tuple[str, ...]
    issues: tuple[Issue, ...]
    passages: tuple[Passage, ...]
    evidence: tuple[Evidence, ...]
    reviews: tuple[Review, ...]
    run: Run
    drafts: tuple[DraftForm, ...]

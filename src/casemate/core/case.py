"""The case: evidence, what was found in it, what is proposed, and what a person decided."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from casemate.core.assessment import Assessment, Disposition
from casemate.core.digest import Digest
from casemate.core.event import Event
from casemate.core.evidence import Evidence
from casemate.core.finding import Finding
from casemate.core.issue import Issue
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.passage import Passage, Release
from casemate.core.text import Span


class State(StrEnum):
    """Where a case stands; only a person moves it out of `draft`."""

    DRAFT = "draft"  # proposed by the machine, seen by nobody
    IN_REVIEW = "in-review"  # a person has decided something, not yet the disposition
    AWAITING = "awaiting-second"  # a person has set the disposition, and it awaits a second person
    CLOSED = "closed"  # a person has set the disposition, and a second one confirmed it where the policy asks for one


class Verdict(StrEnum):
    """What a person said of a finding."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Answer(StrEnum):
    """What a second person said of a disposition that awaited them."""

    CONFIRMED = "confirmed"
    SENT_BACK = "sent-back"


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's verdict on one finding; `wording` is the title they gave it, empty where the machine's stands."""

    finding: str
    verdict: Verdict
    reviewer: str
    time: datetime
    reason: str = ""
    wording: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """What one person decided about a case at one time; `disposition` is None while it is left open.

    `answer` is a second person's to the disposition before it, None in every other review. `account` names the account
    that acted, in the service the reviewer's own and at the command line that of the operating system; empty where an
    older casemate wrote the review.
    """

    reviewer: str
    role: str
    time: datetime
    decisions: tuple[Decision, ...] = ()
    disposition: Disposition | None = None
    reason: str = ""
    answer: Answer | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A line of the timeline: `count` events of the same kind, rule and entity between `first` and `last`.

    `event` and `span` are the first of them, `last_span` selects the last one.
    """

    first: datetime
    last: datetime
    count: int
    event: Event
    span: Span
    last_span: Span | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """A thing two cases share: `kind` is `observable`, `technique` or `template`; `cases` how many cases hold it."""

    kind: str
    value: str
    cases: int


@dataclass(frozen=True, slots=True)
class RelatedCase:
    """An earlier case and what it shares with this one, rarest first; `rarity` only orders, it is no probability."""

    id: str
    title: str
    created: datetime
    shared: tuple[Shared, ...]
    rarity: float


@dataclass(frozen=True, slots=True)
class Run:
    """How a case was made, so that it can be replayed: digests, seed, tokens and seconds.

    `model` is the model's digest, None when no language model was used. `dropped` counts model sentences that the
    evidence did not carry; `proposed` counts all sentences the model gave.
    """

    version: str
    seed: int
    model: Digest | None
    model_name: str
    prompt: Digest | None
    policy: Digest
    releases: tuple[Release, ...]
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    proposed: int = 0
    dropped: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about one case. `title` is made by code from findings, never by a model."""

    id: str
    title: str
    created: datetime
    marking: Marking
    state: State
    evidence: tuple[Evidence, ...]
    observables: tuple[Observable, ...]
    timeline: tuple[TimelineEntry, ...]
    findings: tuple[Finding, ...]
    passages: tuple[Passage, ...]
    assessment: Assessment
    related: tuple[RelatedCase, ...]
    issues: tuple[Issue, ...]
    run: Run
    reviews: tuple[Review, ...] = ()

    @property
    def reviewed(self) -> bool:
        """Whether people have set the disposition; anything else is a draft and is marked so wherever it is shown."""
        return self.state is State.CLOSED

    @property
    def disposition(self) -> Disposition:
        """The disposition a person set last, unless a second one sent it back; else the proposed one."""
        for review in reversed(self.reviews):
            if review.answer is Answer.SENT_BACK:
                break
            if review.disposition is not None:
                return review.disposition
        return self.assessment.proposal.disposition

    @property
    def decision(self) -> Review | None:
        """The last review that set a disposition."""
        return next((review for review in reversed(self.reviews) if review.disposition is not None), None)

    @property
    def confirmation(self) -> Review | None:
        """The review in which a second person confirmed the last disposition."""
        for review in reversed(self.reviews):
            if review.answer is Answer.CONFIRMED:
                return review
            if review.disposition is not None:
                break
        return None

    def reworded(self) -> "Case":
        """Return the case with the titles that people gave to findings; what the machine said stays in the reviews."""
        words = {name: decision.wording for name, decision in self.verdicts().items() if decision.wording}
        if not words:
            return self
        findings = tuple(
            replace(finding, title=words[finding.id]) if finding.id in words else finding for finding in self.findings
        )
        return replace(self, findings=findings)

    def standing(self) -> "Case":
        """Return the case as people left it: without the findings they rejected, and with the titles they gave."""
        rejected = {name for name, decision in self.verdicts().items() if decision.verdict is Verdict.REJECTED}
        case = self.reworded()
        if not rejected:
            return case
        return replace(case, findings=tuple(finding for finding in case.findings if finding.id not in rejected))

    def verdicts(self) -> dict[str, Decision]:
        """Return the last decision on each finding, by finding id."""
        return {decision.finding: decision for review in self.reviews for decision in review.decisions}

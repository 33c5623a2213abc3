"""Stages 5 and 6: ask the model for a summary, keep what the evidence carries, compose the rest from the findings."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from casemate.core.assessment import Sentence
from casemate.core.case import TimelineEntry
from casemate.core.digest import Digest
from casemate.core.errors import EngineFailed
from casemate.core.evidence import Evidence
from casemate.core.finding import Finding
from casemate.core.issue import Issue, Severity
from casemate.core.observable import Observable
from casemate.core.text import Span, Texts
from casemate.pipeline.tools import Tools
from casemate.stages.extract.injections import find_injections
from casemate.stages.generate import Completion, Model, Request, marker_of
from casemate.stages.validate import Claim, Excerpt, check_claims, find_quote
from casemate.tasks.triage.prompt import PROMPT_DIGEST, Proposed, build_request, read_answer
from casemate.tasks.triage.summary import SENTENCES

ENOUGH = 3
"""Sentences of the model that must hold for its summary to stand; with fewer the composed one is shown."""

UNTOLD = frozenset({"injection", "payload"})
"""Kinds of finding whose lines are not shown to the model; what they are is told by code."""

OPENING = 600
"""Characters of the beginning of each piece of evidence that the model may see, cut at a line end."""

CONTEXT = 160
"""Characters shown to the model on either side of what a finding cites, cut at line ends."""


_CUTS = {"length": "limits.answer_tokens", "time": "limits.answer_seconds"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the model contributed: the sentences that hold, what was dropped and why, and what it cost."""

    sentences: tuple[Sentence, ...] = ()
    issues: tuple[Issue, ...] = ()
    proposed: int = 0
    prompt: Digest | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0


def choose_excerpts(
    evidence: Sequence[Evidence], findings: Sequence[Finding], timeline: Sequence[TimelineEntry], texts: Texts
) -> tuple[Excerpt, ...]:
    """Choose what the model sees: lines that findings cite, the gravest first, then the timeline, then beginnings.

    Encoded payloads are left out, which cost many tokens and say nothing, and lines that talk to a model.
    """
    told = (finding for finding in findings if finding.citations and finding.kind not in UNTOLD)
    spans = [finding.citations[0].span for finding in told]
    spans += [entry.span for entry in timeline]
    spans += [Span(item.id, 0, min(item.length, OPENING)) for item in evidence if item.length]
    excerpts: list[Excerpt] = []
    for span in spans:
        excerpt = _lines_around(span, texts)
        known = any(_overlap(excerpt.span, other.span) for other in excerpts)
        if excerpt.text.strip() and not known and not _talks_to_a_model(excerpt.text):
            excerpts.append(excerpt)
        if len(excerpts) >= 60:
            break
    return tuple(excerpts)


def _talks_to_a_model(text: str) -> bool:
    return any(True for _ in find_injections(text, 0))


def _overlap(one: Span, other: Span) -> bool:
    return one.evidence == other.evidence and one.start < other.end and other.start < one.end


def _lines_around(span: Span, texts: Texts) -> Excerpt:
    begin = max(span.start - CONTEXT, 0)
    before = texts.slice(span.evidence, begin, span.start)
    after = texts.slice(span.evidence, span.end, span.end + CONTEXT)
    start = span.start - len(before) + before.rfind("\n") + 1 if "\n" in before or begin == 0 else span.start
    end = span.end + (after.find("\n") if "\n" in after else len(after))
    place = texts.place(span.evidence, start, end)
    return Excerpt(Span(span.evidence, start, end), texts.slice(span.evidence, start, end), place.line)


def ask_model(
    excerpts: Sequence[Excerpt], observables: Sequence[Observable], tools: Tools, seed: int, run: str
) -> Told:
    """Ask the model for a summary of the excerpts and keep the sentences that pass every check.

    An engine that fails is asked again as often as the policy says; then the result is model-free, with a note.
    """
    model = tools.model
    if model is None or not excerpts:
        return Told()
    limits = tools.policy.limits
    request, shown = build_request(
        excerpts,
        marker_of(seed, run),
        seed=seed,
        prompt_tokens=limits.prompt_tokens,
        answer_tokens=limits.answer_tokens,
        seconds=limits.answer_seconds,
    )
    completion, failure = _complete(model, request, tools.policy.retries)
    if completion is None:
        return Told(issues=(failure,) if failure else (), prompt=PROMPT_DIGEST)
    proposed, unread = read_answer(completion.text)
    if completion.finish in _CUTS:
        message = f"the model's answer was cut at {_CUTS[completion.finish]}; its whole sentences were looked at"
        unread = (
            *unread,
            Issue("answer-cut", Severity.NOTE, message, way_out="raise the limit or take a faster model"),
        )
    claims = [_claim(one, shown, observables, tools) for one in proposed]
    kept, dropped = check_claims(claims)
    sentences = tuple(
        Sentence(claim.text.strip(), (claim.citation,), "model") for claim in kept if claim.citation is not None
    )
    return Told(
        _without_repeats(sentences),
        (*unread, *dropped),
        len(proposed),
        PROMPT_DIGEST,
        completion.prompt_tokens,
        completion.cached_tokens,
        completion.generated_tokens,
    )


def _complete(model: Model, request: Request, retries: int) -> tuple[Completion | None, Issue | None]:
    failure = None
    started = time.monotonic()
    for _ in range(retries + 1):
        if time.monotonic() - started >= request.seconds:
            break  # an engine that is too slow once is too slow twice
        try:
            return model.complete(request), None
        except EngineFailed as error:
            message = f"the language model gave no answer ({error.message}); the summary was composed without it"
            failure = Issue("engine-failed", Severity.WARNING, message, way_out=error.way_out)
    return None, failure


def _claim(proposed: Proposed, shown: Sequence[Excerpt], observables: Sequence[Observable], tools: Tools) -> Claim:
    return Claim(
        text=proposed.text,
        citation=find_quote(proposed.quote, shown),
        seen=frozenset(item.value for item in observables),
        scan=lambda text: tools.scanner.scan(text, 0),
        known=lambda identifier: tools.knowledge.entry(identifier) is not None,
        suspicious=_talks_to_a_model,
    )


def _without_repeats(sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
    kept: dict[str, Sentence] = {}
    for sentence in sentences:
        kept.setdefault(sentence.text.casefold(), sentence)
    return tuple(kept.values())


def choose_summary(
    told: Told, composed: tuple[Sentence, ...], model_name: str
) -> tuple[tuple[Sentence, ...], tuple[Issue, ...]]:
    """Take the model's summary when enough of it holds, else the composed one; say which, and why."""
    rate = len(told.sentences) / told.proposed if told.proposed else 0.0
    if len(told.sentences) >= ENOUGH and rate >= 0.6:
        return told.sentences[:SENTENCES], ()
    if not model_name:
        return composed, ()
    message = (
        f"the summary is composed from the findings: {len(told.sentences)} of the {told.proposed} sentences that "
        f"{model_name} proposed are carried by the evidence"
    )
    return composed, (Issue("summary-composed", Severity.NOTE, message),)

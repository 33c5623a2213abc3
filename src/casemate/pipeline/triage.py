"""The one path: evidence in, a stored case out. Read it from the top; every step is a stage."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import BinaryIO

from casemate import __version__
from casemate.audit import NewAuditEvent
from casemate.core.alert import Lease
from casemate.core.assessment import Assessment
from casemate.core.case import Case, Run, State, TimelineEntry
from casemate.core.digest import Digest, digest_value
from casemate.core.errors import NothingRead
from casemate.core.evidence import Evidence
from casemate.core.feature import Feature
from casemate.core.finding import Finding
from casemate.core.issue import Issue, Severity
from casemate.core.marking import Marking, strictest
from casemate.core.observable import Observable
from casemate.core.text import Texts
from casemate.core.words import counted
from casemate.pipeline.asking import Told
from casemate.pipeline.assessing import ask_model, summarise
from casemate.pipeline.metering import meter
from casemate.pipeline.reading import Reading, edition_of, read_source
from casemate.pipeline.receiving import Received, receive
from casemate.pipeline.specialists import find_shown_techniques
from casemate.pipeline.tools import Tools
from casemate.policy import Limits
from casemate.stages.ingest import Source
from casemate.stages.retrieve import choose_passages, features_of, find_related
from casemate.stages.validate import check_citations
from casemate.store import Held, Store
from casemate.tasks.composing import compose_summary
from casemate.tasks.excerpts import choose_excerpts
from casemate.tasks.summary import PART, citer
from casemate.tasks.triage.findings import finding_of_times, merge_findings
from casemate.tasks.triage.judging import add_judgement, judgement_differs
from casemate.tasks.triage.named import findings_of_ids, name_techniques
from casemate.tasks.triage.proposal import ask_next, propose

Progress = Callable[[str], None]
"""Told what is being done, in a few words; evidence text is never in it raw."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asked for: the marking of the evidence, who asks, and the seed of the model's sampling."""

    marking: Marking
    actor: str
    seed: int = 0
    lease: Lease | None = None  # of the job that this is; it ends with the case


@dataclass(frozen=True, slots=True)
class Outcome:
    """The case, whether it was there already, and why inputs of this run could not be read."""

    case: Case
    repeated: bool
    unread: tuple[Issue, ...]


def triage(
    sources: Iterable[Source | Issue], order: Order, tools: Tools, store: Store, progress: Progress = lambda _: None
) -> Outcome:
    """Take evidence the whole path and store the case.

    The same evidence under the same marking is the same case: run again, a finished reading is not repeated, an
    unchanged case is given back as it is, and a case that a person has decided on is never replaced. Inputs that cannot
    be read are issues of the case; `NothingRead` when not one could be.
    """
    started = time.monotonic()
    spools: list[BinaryIO] = []
    with ExitStack() as stack:
        stack.callback(lambda: [spool.close() for spool in spools])
        received, unread = _receive(sources, tools, spools, progress)
        if not received:
            reasons = "; ".join(f"{issue.source}: {issue.message}" for issue in unread[:5])
            raise NothingRead(f"no evidence could be read ({reasons or 'nothing was named'})", way_out="name a file")
        edition = edition_of(tools)
        run_key, case_id = name_run(received, order, tools, edition)
        known = store.case(case_id)
        if known is not None and (known.reviews or is_same_run(known, tools)):
            return Outcome(known, repeated=True, unread=tuple(unread))
        inputs = [str(item.digest) for item in received]
        held = store.hold(edition)
        held.begin_run(run_key, inputs, begun(case_id, len(inputs), order))
        readings = []
        for number, item in enumerate(received, 1):
            progress(f"reading {number} of {len(received)}")
            readings.append(read_source(item, order.marking, tools, held, run_key, order.actor))
    case = _make_case(case_id, readings, unread, order, tools, store, held, progress)
    case = replace(case, run=replace(case.run, seconds=round(time.monotonic() - started, 3)))
    features = features_of_case(case.observables, case.findings, readings)
    event = proposed(case, order)
    store.save_case(case, event, features, run_key, edition, order.lease, tools.policy.baseline, held)
    return Outcome(case, repeated=False, unread=tuple(unread))


def proposed(case: Case, order: Order) -> NewAuditEvent:
    """Make the audit event of a case that the machine proposes."""
    body = (("evidence", str(len(case.evidence))), ("model", str(case.run.model or "none")))
    return NewAuditEvent(order.actor, "case.proposed", case.id, body)


def begun(case_id: str, inputs: int, order: Order) -> NewAuditEvent:
    """Make the audit event of a case that is begun."""
    return NewAuditEvent(order.actor, "case.begun", case_id, (("inputs", str(inputs)),))


def _receive(
    sources: Iterable[Source | Issue], tools: Tools, spools: list[BinaryIO], progress: Progress
) -> tuple[list[Received], list[Issue]]:
    limits = tools.policy.limits
    received: dict[str, Received] = {}
    unread: list[Issue] = []
    for source in sources:
        if isinstance(source, Issue):
            unread.append(source)
            continue
        if len(received) >= limits.case_inputs:
            message = f"more than {limits.case_inputs:,} inputs for one case; this one and all after it were left out"
            way_out = "make several cases, or raise limits.case_inputs in the policy"
            unread.append(Issue("case-inputs", Severity.ERROR, message, source.name, "", way_out))
            break
        progress(f"receiving {len(received) + 1}")
        item = receive(source, limits, spools)
        if isinstance(item, Issue):
            unread.append(item)
        else:
            received.setdefault(item.digest, item)
    return list(received.values()), unread


def name_run(received: Sequence[Received], order: Order, tools: Tools, edition: Digest) -> tuple[str, str]:
    """Name the run of these inputs, read in this edition, and the case that it leads to."""
    case = digest_value([sorted(item.digest for item in received), order.marking.value])
    model = tools.model.digest if tools.model else None
    return digest_value([case, edition, model, order.seed]), f"C-{case[:12]}"


def is_same_run(case: Case, tools: Tools) -> bool:
    """Say whether a case was made by this program with this policy, model and knowledge."""
    run = case.run
    model = tools.model.digest if tools.model else None
    releases = tuple(release.digest for release in run.releases)
    now = tuple(release.digest for release in tools.knowledge.releases())
    return (run.version, run.policy, run.model, releases) == (__version__, tools.policy.digest, model, now)


def _make_case(
    case_id: str,
    readings: Sequence[Reading],
    unread: Sequence[Issue],
    order: Order,
    tools: Tools,
    store: Store,
    held: Held,
    progress: Progress,
) -> Case:
    limits = tools.policy.limits
    texts = held.texts()
    cite = citer(texts, limits.quote_chars)
    evidence, observables, timeline = _join(readings, limits)

    progress("looking up what is known")
    named = findings_of_ids(observables, tools.knowledge, cite, limits.citations_per_finding)
    learned = find_shown_techniques(evidence, timeline, texts, tools.specialists, cite)
    drafts = [finding for reading in readings for finding in reading.findings]
    times = finding_of_times(timeline, cite)
    known = name_techniques([*drafts, *named, *learned, *times], tools.knowledge)
    findings, over = merge_findings(known, limits.findings, limits.citations_per_finding)
    findings, broken = _keep_verbatim(findings, texts)
    passages = choose_passages(findings, tools.knowledge, limits)

    features = features_of_case(observables, findings, readings)
    related = find_related(features, store.features(), limits, exclude=case_id)

    told = Told()
    if tools.model is not None:
        progress(f"asking {tools.model.name}")
        held.store()  # a model takes long: what was read is not to be read again if it is stopped meanwhile
        tools = meter(tools, store, case_id, order.actor, "triage")
        excerpts = choose_excerpts(evidence, findings, timeline, texts, tools.defences.leave_out)
        told = ask_model(excerpts, observables, tools, order.seed, case_id)
    composed = compose_summary(evidence, timeline, findings, observables, cite)
    summary, why = summarise(told, composed, findings, tools, texts)

    proposal = propose(findings, timeline, observables)
    differing = judgement_differs(proposal, findings)
    left = [Issue("limit-reached", Severity.WARNING, f"{over:,} x finding left out")] if over else []
    issues = (*unread, *(issue for reading in readings for issue in reading.issues), *left)
    return Case(
        id=case_id,
        title=make_title(findings, evidence, timeline),
        created=tools.clock(),
        marking=strictest(item.marking for item in evidence),
        state=State.DRAFT,
        evidence=evidence,
        observables=observables,
        timeline=timeline,
        findings=findings,
        passages=passages,
        assessment=Assessment(summary, add_judgement(proposal, findings), ask_next(findings, observables)),
        related=related,
        issues=(*issues, *tools.specialists.issues(), *broken, *told.issues, *why, *differing),
        run=_record_run(order, tools, told, len(told.sentences)),
    )


def _record_run(order: Order, tools: Tools, told: Told, kept: int) -> Run:
    model = tools.model
    return Run(
        version=__version__,
        seed=order.seed,
        model=model.digest if model else None,
        model_name=model.name if model else "none",
        prompt=PART.digest if told.requests else None,
        policy=tools.policy.digest,
        releases=tools.knowledge.releases(),
        prompt_tokens=told.prompt_tokens,
        cached_tokens=told.cached_tokens,
        generated_tokens=told.generated_tokens,
        proposed=told.proposed,
        dropped=told.proposed - kept,
    )


def _join(
    readings: Sequence[Reading], limits: Limits
) -> tuple[tuple[Evidence, ...], tuple[Observable, ...], tuple[TimelineEntry, ...]]:
    evidence = {item.id: item for reading in reversed(readings) for item in reversed(reading.evidence)}
    ordered = tuple(dict.fromkeys(item.id for reading in readings for item in reading.evidence))
    observables: dict[tuple[str, str, str], Observable] = {}
    for reading in readings:
        for item in reading.observables:
            key = (item.type, item.value, item.hash)
            held = observables.get(key)
            observables[key] = item if held is None else _add(held, item, limits.spans_per_observable)
    timeline = sorted((entry for reading in readings for entry in reading.timeline), key=lambda entry: entry.first)
    return (
        tuple(evidence[name] for name in ordered),
        tuple(observables.values()),
        tuple(timeline[: limits.timeline_entries]),
    )


def _add(held: Observable, other: Observable, places: int) -> Observable:
    spans = tuple(dict.fromkeys((*held.spans, *other.spans)))[:places]
    return replace(held, count=held.count + other.count, spans=spans)


def _keep_verbatim(findings: Sequence[Finding], texts: Texts) -> tuple[tuple[Finding, ...], tuple[Issue, ...]]:
    """Drop every citation that does not select its quote in the stored text, and findings left with none."""
    kept: list[Finding] = []
    issues: list[Issue] = []
    for finding in findings:
        good = tuple(citation for citation in finding.citations if not check_citations((citation,), texts))
        if len(good) < len(finding.citations):
            issues.extend(check_citations(finding.citations, texts))
        if good:
            kept.append(replace(finding, citations=good))
    return tuple(kept), tuple(issues)


def features_of_case(
    observables: Sequence[Observable], findings: Sequence[Finding], readings: Sequence[Reading]
) -> tuple[Feature, ...]:
    """Give what a case can be found by from others: observables, techniques, rare log templates."""
    return features_of(observables, findings, (template for reading in readings for template in reading.templates))


def make_title(findings: Sequence[Finding], evidence: Sequence[Evidence], timeline: Sequence[TimelineEntry]) -> str:
    """Name a case by its gravest finding, else by its records and their days, else by its first evidence."""
    if any(finding.kind != "time" for finding in findings):
        more = len(findings) - 1
        return findings[0].title[:120] + (f" and {more} more finding{'s' * (more > 1)}" if more else "")
    if not evidence:
        return "no evidence"
    if not timeline:
        return f"{evidence[0].format} evidence without findings"
    records = counted(sum(entry.count for entry in timeline), f"{evidence[0].format} record")
    days = dict.fromkeys(f"{day:%Y-%m-%d}" for day in (timeline[0].first, max(entry.last for entry in timeline)))
    return f"{records} of {' to '.join(days)} without findings"

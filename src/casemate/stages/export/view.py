"""What every readable format says of a case, said once: banners, citation numbers, tactics, words for numbers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from casemate.core.assessment import Disposition
from casemate.core.case import Case, State, TimelineEntry, Verdict
from casemate.core.digest import Digest
from casemate.core.finding import Citation, Finding
from casemate.core.observable import Observable
from casemate.core.passage import Release
from casemate.core.text import Span, Texts

UNREVIEWED = "UNREVIEWED DRAFT: proposed by software. No person has decided this case yet."

SEVERITIES = ("unknown", "informational", "low", "medium", "high", "critical", "fatal")
"""OCSF 1.x `severity_id` 0..6."""

PRIORITIES = {1: "look now", 2: "look soon", 3: "in turn", 4: "when there is time", 5: "no hurry"}

TACTICS = (
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
)
"""The enterprise tactics in the order of the ATT&CK matrix (attack.mitre.org)."""

# ICD 203 (2015), section D.6.e.(2): upper ends of the ranges.
_LIKELIHOOD = (
    (0.05, "almost no chance"),
    (0.20, "very unlikely"),
    (0.45, "unlikely"),
    (0.55, "roughly even chance"),
    (0.80, "likely"),
    (0.95, "very likely"),
    (1.00, "almost certain"),
)


_PUBLIC_ID = re.compile(r"TA?\d{4}(\.\d{3})?|[GSC]\d{4}|(CVE|CWE|CAPEC|GHSA)-[\w-]+")


@dataclass(frozen=True, slots=True)
class Note:
    """One numbered citation as it is shown: `source` and `where` (`line 12`, `page 3`) lead back to what came in."""

    number: int
    citation: Citation
    source: str
    where: str
    line: int


def banner(case: Case) -> str:
    """Say that nobody has decided the case; empty once a person has."""
    return "" if case.reviewed else UNREVIEWED


def review_word(case: Case) -> str:
    """Give the one word that marks a draft in data formats: `unreviewed`, else `reviewed`."""
    return "reviewed" if case.reviewed else "unreviewed"


def status(case: Case) -> str:
    """Say in a few words where the case stands."""
    return _STATUSES[case.state]


def deciders(case: Case) -> str:
    """Name who set the disposition of a reviewed case, and who confirmed it, each with their role."""
    told = [f"{review.reviewer} ({review.role})" for review in (case.decision, case.confirmation) if review is not None]
    return ", confirmed by ".join(told)


_STATUSES = {
    State.DRAFT: "draft, unreviewed",
    State.IN_REVIEW: "in review, unreviewed",
    State.AWAITING: "awaiting a second person, unreviewed",
    State.CLOSED: "reviewed",
}


def likelihood(probability: float) -> str:
    """Put a probability into the words of ICD 203."""
    return next((words for upper, words in _LIKELIHOOD if probability <= upper), _LIKELIHOOD[-1][1])


def severity_word(severity: int) -> str:
    """Name an OCSF severity."""
    return SEVERITIES[severity] if 0 <= severity < len(SEVERITIES) else "other"


def disposition_word(disposition: Disposition) -> str:
    """Write a disposition as words."""
    return disposition.value.replace("-", " ")


def public_id(finding: Finding) -> str:
    """Give the id a finding names when it is one that readers know (ATT&CK, CVE, CWE, CAPEC, GHSA), else nothing."""
    return finding.reference if _PUBLIC_ID.fullmatch(finding.reference) else ""


def name_of(finding: Finding) -> str:
    """Give a finding's title without the public id in front of it; empty when it is nothing else."""
    return finding.title.removeprefix(public_id(finding)).strip(" :")


def verdict_of(case: Case, finding: Finding) -> str:
    """Give what a person last said of a finding: `accepted`, `rejected`, or `unreviewed`."""
    decision = case.verdicts().get(finding.id)
    return decision.verdict.value if decision else "unreviewed"


def kept(case: Case) -> tuple[Finding, ...]:
    """Choose the findings that no person has rejected; what is rejected leaves no trace in data formats."""
    verdicts = case.verdicts()
    return tuple(
        finding
        for finding in case.findings
        if finding.id not in verdicts or verdicts[finding.id].verdict is not Verdict.REJECTED
    )


def sources(case: Case) -> dict[Digest, str]:
    """Map each evidence to the name it came with (hostile text)."""
    return {evidence.id: evidence.source for evidence in case.evidence}


def where(texts: Texts, span: Span, line: int = 0) -> tuple[str, int]:
    """Say where a span stands in what was received, for a person (`line 12`, `page 3`), and the line from 1."""
    place = texts.place(span.evidence, span.start, span.end)
    number = line or place.line
    return (f"{place.note}" if place.note else f"line {number}"), number


def cited(case: Case) -> Iterator[Citation]:
    """Yield the citations in the order a reader meets them: summary first, then findings."""
    for sentence in case.assessment.summary:
        yield from sentence.citations
    for finding in case.findings:
        yield from finding.citations


def number_citations(case: Case, texts: Texts) -> dict[Span, Note]:
    """Give numbers to the distinct cited spans from 1 in reading order."""
    names = sources(case)
    notes: dict[Span, Note] = {}
    for citation in cited(case):
        if citation.span in notes:
            continue
        place, line = where(texts, citation.span, citation.line)
        source = names.get(citation.span.evidence, citation.span.evidence[:12])
        notes[citation.span] = Note(len(notes) + 1, citation, source, place, line)
    return notes


def by_tactic(case: Case) -> list[tuple[str, list[Finding]]]:
    """Group technique findings by tactic, in matrix order; `""` last, for techniques whose tactic is not known.

    Tactics are the `tactic` facts of the technique passages that the case carries.
    """
    known: dict[str, tuple[str, ...]] = {
        passage.id: tuple(value for name, value in passage.facts if name == "tactic")
        for passage in case.passages
        if passage.kind == "technique"
    }
    groups: dict[str, list[Finding]] = {}
    for finding in kept(case):
        if finding.kind == "technique" and finding.reference:
            for tactic in known.get(finding.reference) or ("",):
                groups.setdefault(tactic, []).append(finding)
    order = {tactic: place for place, tactic in enumerate(TACTICS)}
    names = sorted(groups, key=lambda tactic: (tactic == "", order.get(tactic, len(order)), tactic))
    return [(name, groups[name]) for name in names]


def by_type(observables: tuple[Observable, ...]) -> dict[str, list[Observable]]:
    """Group observables by type; within a type those without flags first, then the most often seen."""
    groups: dict[str, list[Observable]] = {}
    for seen in sorted(observables, key=lambda seen: (seen.type, bool(seen.flags), -seen.count, seen.value)):
        groups.setdefault(seen.type, []).append(seen)
    return groups


def entity(entry: TimelineEntry) -> str:
    """Say who did what to whom in one short phrase, from the fields an event has (hostile text)."""
    event = entry.event
    who = event.field("actor.user.name") or event.field("user.name")
    source = event.field("src_endpoint.ip") or event.field("src_endpoint.hostname")
    target = event.field("dst_endpoint.ip") or event.field("dst_endpoint.hostname") or event.field("device.hostname")
    arrow = f"{source} → {target}" if source and target else source or target
    return ", ".join(part for part in (who, arrow, event.field("process.name")) if part)


def telling(case: Case, most: int) -> list[TimelineEntry]:
    """Choose the entries of the timeline that tell most (alerts, then severity), at most `most`, in order of time."""
    order = sorted(case.timeline, key=lambda entry: (not entry.event.is_alert, -entry.event.severity, entry.first))
    return sorted(order[:most], key=lambda entry: entry.first)


def notices(case: Case) -> list[Release]:
    """Choose the releases whose text the case shows and that ask for a copyright line."""
    used = {passage.release for passage in case.passages}
    return [release for release in case.run.releases if release.notice and release.digest in used]


def run_facts(case: Case) -> list[tuple[str, str]]:
    """List how the case was made, as (name, value) pairs for a person."""
    run = case.run
    model = f"{run.model_name} ({run.model[:12]})" if run.model else "none"
    facts = [("casemate", run.version), ("model", model), ("seed", str(run.seed))]
    if run.prompt:
        facts.append(("prompt", run.prompt[:12]))
    facts.append(("policy", run.policy[:12]))
    facts += [(f"knowledge: {release.name}", f"{release.version} ({release.digest[:12]})") for release in run.releases]
    if run.model:
        tokens = f"{run.prompt_tokens} read ({run.cached_tokens} cached), {run.generated_tokens} written"
        facts.append(("tokens", tokens))
        facts.append(
            ("sentences", f"{run.proposed} proposed, {run.dropped} dropped because evidence did not carry them")
        )
    facts.append(("seconds", f"{run.seconds:.1f}"))
    return facts

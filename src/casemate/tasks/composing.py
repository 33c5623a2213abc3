"""A summary composed from the findings, for when no model is used or what it says does not hold."""

from collections.abc import Callable, Mapping, Sequence

from casemate.core.assessment import Sentence
from casemate.core.case import TimelineEntry
from casemate.core.evidence import Evidence
from casemate.core.finding import Citation, Finding
from casemate.core.observable import Observable
from casemate.core.text import Span
from casemate.core.words import counted

SENTENCES = 5
"""The most sentences a summary has."""

_NOT_TOLD = frozenset({"attack-pattern", "vulnerability", "weakness", "windows-event-id", "user-agent"})
"""Types of observable that findings tell already, or that say little alone."""

_SHOWN = 120  # characters of a title taken into a sentence


def compose_summary(
    evidence: Sequence[Evidence],
    timeline: Sequence[TimelineEntry],
    findings: Sequence[Finding],
    observables: Sequence[Observable],
    cite: Callable[[Span], Citation],
) -> tuple[Sentence, ...]:
    """Write at most five sentences, each carried by the citations of the record, finding or observable it tells."""
    sentences = [_opening(evidence, timeline, cite)] if timeline else []
    for kind in _ORDER:
        group = [finding for finding in findings if finding.kind == kind and finding.citations]
        if group:
            sentences.append(_TELLERS[kind](group))
    sentences.append(_tell_observables(observables, cite))
    return tuple(sentence for sentence in sentences if sentence.citations)[:SENTENCES]


def _tell_observables(observables: Sequence[Observable], cite: Callable[[Span], Citation]) -> Sentence:
    kinds: dict[str, list[Observable]] = {}
    for item in observables:
        if not item.flags and item.spans and item.type not in _NOT_TOLD:
            kinds.setdefault(item.hash or item.type, []).append(item)
    commonest = sorted(kinds.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:4]
    told = ", ".join(f"{len(items):,} x {kind} (first {items[0].raw[:_SHOWN]})" for kind, items in commonest)
    text = f"Observables in no warning list: {told}{_more(list(kinds), 4).replace('more', 'more kinds')}."
    return Sentence(text, tuple(cite(items[0].spans[0]) for _, items in commonest[:3]))


def _opening(
    evidence: Sequence[Evidence],
    timeline: Sequence[TimelineEntry],
    cite: Callable[[Span], Citation],
) -> Sentence:
    first = min(timeline, key=lambda entry: entry.first)
    last = max(timeline, key=lambda entry: entry.last)
    records = sum(entry.count for entry in timeline)
    alerts = sum(entry.count for entry in timeline if entry.event.is_alert)
    sources = sum(1 for item in evidence if item.length)
    counts = (counted(alerts, "alert"), counted(records - alerts, "other record" if alerts else "record"))
    told = " and ".join(one for one, number in zip(counts, (alerts, records - alerts), strict=True) if number)
    text = (
        f"{told} in {counted(sources, 'piece of evidence', 'pieces of evidence')}, "
        f"from {first.first:%Y-%m-%d %H:%M:%S} to {last.last:%Y-%m-%d %H:%M:%S} UTC."
    )
    spans = dict.fromkeys((first.span, last.last_span or last.span))
    return Sentence(text, tuple(cite(span) for span in spans))


def _citations(group: Sequence[Finding], most: int = 3) -> tuple[Citation, ...]:
    return tuple(dict.fromkeys(finding.citations[0] for finding in group[:most]))


def _more(group: Sequence[object], shown: int) -> str:
    rest = len(group) - shown
    return f", and {rest} more" if rest > 0 else ""


def _titles(group: Sequence[Finding], most: int) -> str:
    return "; ".join(finding.title[:_SHOWN] for finding in group[:most]) + _more(group, most)


def _tell_patterns(group: Sequence[Finding]) -> Sentence:
    told = "; ".join(finding.detail[: 2 * _SHOWN] for finding in group[:2])
    return Sentence(f"Counted over the records: {told}{_more(group, 2)}.", _citations(group, 2))


def _tell_detections(group: Sequence[Finding]) -> Sentence:
    return Sentence(f"Detections raised: {_titles(group, 3)}.", _citations(group))


def _tell_payloads(group: Sequence[Finding]) -> Sentence:
    number = "A payload was" if len(group) == 1 else f"{len(group)} payloads were"
    return Sentence(f"{number} found hidden in the evidence: {_titles(group, 2)}.", _citations(group, 2))


def _tell_vulnerabilities(group: Sequence[Finding]) -> Sentence:
    exploited = [finding for finding in group if finding.severity >= 4]
    told = f"Vulnerabilities named: {_titles(group, 3)}"
    if exploited:
        told += f"; known to be exploited: {', '.join(finding.reference for finding in exploited[:5])}"
    return Sentence(told + ".", _citations(exploited or group))


def _tell_names(group: Sequence[Finding]) -> Sentence:
    what = {"malware": "Malware", "tool": "Tools", "actor": "Actors"}[group[0].kind]
    return Sentence(f"{what} named: {_titles(group, 4)}.", _citations(group, 4))


def _tell_techniques(group: Sequence[Finding]) -> Sentence:
    named = [finding for finding in group if finding.basis == "named"]
    estimated = [finding for finding in group if finding.basis == "specialist"]
    counted = [finding for finding in group if finding.basis not in {"named", "specialist"}]
    told = named or counted or estimated
    how = "named in the evidence" if named else "that fit what was counted or decoded"
    if told is estimated:
        how = "that the specialist reads in it"
    return Sentence(f"ATT&CK techniques {how}: {_titles(told, 4)}.", _citations(told, 4))


def _tell_judgement(group: Sequence[Finding]) -> Sentence:
    return Sentence(f"The specialist for alerts names {_titles(group, 1)}.", _citations(group, 1))


def _tell_injections(group: Sequence[Finding]) -> Sentence:
    return Sentence(
        "The evidence holds text written to steer a language model; it was treated as data and changed nothing.",
        _citations(group),
    )


_TELLERS: Mapping[str, Callable[[Sequence[Finding]], Sentence]] = {
    "pattern": _tell_patterns,
    "detection": _tell_detections,
    "payload": _tell_payloads,
    "injection": _tell_injections,
    "vulnerability": _tell_vulnerabilities,
    "malware": _tell_names,
    "actor": _tell_names,
    "tool": _tell_names,
    "technique": _tell_techniques,
    "judgement": _tell_judgement,
}
_ORDER = tuple(_TELLERS)

"""Facts that code computed (payloads, behaviours, detections, suspicious text, rules, names) as findings."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from casemate.core.case import TimelineEntry
from casemate.core.digest import Digest
from casemate.core.finding import Citation, Finding
from casemate.core.observable import Sighting
from casemate.core.passage import Entry
from casemate.core.text import Span
from casemate.stages.extract.behaviours import TITLES, Behaviour
from casemate.stages.extract.detections import Detection
from casemate.stages.extract.embedded_rules import EmbeddedRule
from casemate.stages.extract.injections import Suspicion
from casemate.stages.extract.payloads import Payload

DETAIL_CHARS = 600
"""Characters of a decoded payload that a finding shows; the whole is decoded again from its citation."""

NETWORK_TYPES = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url"})

KIND_ORDER = (
    "pattern",
    "detection",
    "judgement",
    "payload",
    "vulnerability",
    "malware",
    "tool",
    "actor",
    "technique",
    "weakness",
    "injection",
    "rule",
    "time",
)
"""The order findings of the same severity are shown in."""

_ENTRY_KINDS: Mapping[str, str] = {
    "actor": "actor",
    "campaign": "actor",
    "malware": "malware",
    "tool": "tool",
    "technique": "technique",
    "attack-pattern": "technique",
}


def finding_of_payload(payload: Payload, inside: Sequence[Sighting], citation: Citation) -> Finding:
    """Tell a decoded payload: its layers, what it is, and what it would talk to."""
    chain = " > ".join(payload.layers)
    hosts = sorted({sighting.value for sighting in inside if sighting.type in NETWORK_TYPES})
    detail = payload.text[:DETAIL_CHARS] + ("…" if len(payload.text) > DETAIL_CHARS else "")
    if hosts:
        detail += f"\n[names {', '.join(hosts[:10])}]"
    return Finding(
        id="",
        kind="payload",
        title=f"Decoded {payload.kind} ({chain})",
        detail=detail,
        basis="computed",
        citations=(citation,),
        reference=str(payload.digest),
        severity=_payload_severity(payload.kind, bool(hosts)),
    )


def _payload_severity(kind: str, names_hosts: bool) -> int:  # noqa: FBT001 - two plain facts, named at the only call
    if kind in {"pe", "elf"}:
        return 4
    if kind == "script":
        return 4 if names_hosts else 3
    return 2


def techniques_of_payload(payload: Payload, citation: Citation) -> tuple[Finding, ...]:
    """Name the techniques that hiding a command in this way is, by ATT&CK's own definitions."""
    ids = ["T1027"] if len(payload.layers) > 1 or payload.kind in {"script", "pe", "elf"} else []
    if "powershell-encoded-command" in payload.layers or "utf-16le" in payload.layers:
        ids.append("T1059.001")
    return tuple(
        _technique(technique, f"a {payload.kind} hidden by {payload.layers[0]}", citation) for technique in ids
    )


_TOLD: Mapping[str, str] = {
    "password-guessing": "{count} failed log-ons by {entity} against {target}",
    "guessing-succeeded": "{entity} logged on as {target} after {count} failed log-ons",
    "web-scan": "{count} requests by {entity} that failed or name a scanner ({target})",
    "exploit-attempt": "{count} requests by {entity} that carry an exploit ({target})",
}
_TOLD_OTHERWISE = "{title} by {entity} ({count} x, {target})"


def _when(first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return ""
    if first == last:
        return f", at {first:%Y-%m-%d %H:%M:%S} UTC"
    until = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f", from {first:%Y-%m-%d %H:%M:%S} to {until} UTC"


def finding_of_behaviour(behaviour: Behaviour, citations: tuple[Citation, ...]) -> tuple[Finding, ...]:
    """Tell a counted behaviour, and the technique whose description it fits."""
    title = TITLES[behaviour.kind]
    told = _TOLD.get(behaviour.kind, _TOLD_OTHERWISE)
    who = behaviour.entity or "an unnamed source"
    number = f"{behaviour.count:,}"
    detail = told.format(count=number, entity=who, target=behaviour.target or "unnamed", title=title.lower())
    detail += _when(behaviour.first, behaviour.last)
    pattern = Finding(
        id="",
        kind="pattern",
        title=f"{title}: {behaviour.entity}" if behaviour.entity else title,
        detail=detail,
        basis="computed",
        citations=citations,
        reference=f"{behaviour.kind}:{behaviour.entity}",
        severity=behaviour.severity,
    )
    return pattern, replace(_technique(behaviour.technique, title.lower(), citations[0]), citations=citations)


def _technique(technique: str, why: str, citation: Citation) -> Finding:
    return Finding(
        id="",
        kind="technique",
        title=technique,
        detail=f"computed from {why}",
        basis="computed",
        citations=(citation,),
        reference=technique,
    )


def finding_of_times(timeline: Sequence[TimelineEntry], cite: Callable[[Span], Citation]) -> tuple[Finding, ...]:
    """Tell when the first and the last record of the case happened; nothing when no record has a time."""
    if not timeline:
        return ()
    first = min(timeline, key=lambda entry: entry.first)
    last = max(timeline, key=lambda entry: entry.last)
    spans = dict.fromkeys((first.span, last.last_span or last.span))
    detail = f"the first: {first.event.rule or first.event.kind}; the last: {last.event.rule or last.event.kind}"
    title = f"First seen {first.first:%Y-%m-%d %H:%M:%S} UTC, last seen {last.last:%Y-%m-%d %H:%M:%S} UTC"
    return (Finding("", "time", title, detail, "computed", tuple(map(cite, spans))),)


def finding_of_suspicion(suspicion: Suspicion, citation: Citation) -> Finding:
    """Tell that the evidence holds text meant for a language model; it is data, and changes no disposition."""
    return Finding(
        id="",
        kind="injection",
        title=f"Text that talks to a language model ({suspicion.kind})",
        detail="whoever could write this text wants to steer an automated reader; it was treated as data",
        basis="computed",
        citations=(citation,),
        reference=suspicion.kind,
        severity=3,
    )


def finding_of_rule(rule: EmbeddedRule, citation: Citation) -> Finding:
    """Tell a detection rule that stands in the evidence."""
    return Finding(
        id="",
        kind="rule",
        title=f"{rule.kind.upper() if rule.kind == 'yara' else rule.kind.title()} rule: {rule.name}",
        detail="a detection rule stands in the evidence; it can be copied from the citation",
        basis="named",
        citations=(citation,),
        reference=f"{rule.kind}:{rule.name}",
    )


def finding_of_name(name: str, entries: Sequence[Entry], citation: Citation) -> Finding | None:
    """Tell an actor, malware, tool or technique that the evidence names; several meanings are all listed, none picked.

    Entries that say they are the same thing (equal canonical names, or a link `same-as`) count as one meaning.
    """
    meanings = one_per_meaning(entries)
    if not meanings:
        return None
    kinds = sorted({_ENTRY_KINDS[entry.kind] for entry in meanings}, key=KIND_ORDER.index)
    first = meanings[0]
    if len(meanings) > 1:
        candidates = tuple(entry.id for entry in meanings)
        told = ", ".join(f"{entry.name} ({entry.id})" for entry in meanings)
        detail = f"“{name}” may mean {told}; none was picked"
        return Finding(
            "", kinds[0], f"{name}: ambiguous", detail, "named", (citation,), candidates=candidates, maker=first.release
        )
    alias = f"named as “{name}”" if name.casefold() != first.name.casefold() else "named in the evidence"
    known = [target for relation, target in first.links if relation == "uses" and target.startswith("T")]
    if known:
        alias += f"; the knowledge lists {len(known)} techniques for it, such as {', '.join(sorted(known)[:5])}"
    title = f"{first.id} {first.name}" if kinds[0] == "technique" else first.name
    return Finding("", kinds[0], title, alias, "named", (citation,), reference=first.id, maker=first.release)


def one_per_meaning(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Keep one entry for each distinct thing, ATT&CK's before others; kinds that triage does not tell are left out."""
    kept: list[Entry] = []
    told = [entry for entry in entries if entry.kind in _ENTRY_KINDS]
    for entry in sorted(told, key=lambda entry: (not _public(entry.id), entry.id)):
        linked = {target for relation, target in entry.links if relation in {"same-as", "similar"}}
        if not any(_same(entry, linked, other) for other in kept):
            kept.append(entry)
    return tuple(kept)


def _public(identifier: str) -> bool:
    return identifier[:1] in "TGSC" and identifier[1:5].isdigit()


def _same(entry: Entry, linked: set[str], other: Entry) -> bool:
    back = {target for relation, target in other.links if relation in {"same-as", "similar"}}
    return other.name.casefold() == entry.name.casefold() or other.id in linked or entry.id in back


def merge_findings(findings: Iterable[Finding], limit: int, cited: int) -> tuple[tuple[Finding, ...], int]:
    """Join findings about the same thing, order them by gravity and kind, and number them; tell how many were left out.

    The same thing is the same kind and reference (or title). Citations are joined up to `cited`, the highest severity
    stays, and `named` outranks `computed` outranks `looked-up` as the basis.
    """
    joined: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.kind, finding.reference or finding.title)
        held = joined.get(key)
        joined[key] = finding if held is None else _join(held, finding, cited)
    ordered = sorted(joined.values(), key=_rank)
    numbered = tuple(replace(finding, id=f"F{number}") for number, finding in enumerate(ordered[:limit], 1))
    return numbered, max(len(ordered) - limit, 0)


_COUNTED = frozenset({"pattern", "detection"})
_BASES = ("named", "computed", "specialist", "looked-up", "model")


def _join(held: Finding, other: Finding, cited: int) -> Finding:
    better = min(held, other, key=lambda finding: (_BASES.index(finding.basis), -len(finding.title)))
    citations = tuple(dict.fromkeys((*held.citations, *other.citations)))[:cited]
    detail = better.detail
    if held.kind in _COUNTED and other.detail not in held.detail:
        detail = f"{held.detail}; {other.detail}"[:DETAIL_CHARS]  # the same thing counted in two pieces of evidence
    maker: Digest | None = better.maker or held.maker or other.maker
    return replace(better, detail=detail, citations=citations, severity=max(held.severity, other.severity), maker=maker)


def _rank(finding: Finding) -> tuple[int, int]:
    return (-finding.severity, KIND_ORDER.index(finding.kind))


def findings_of_detection(detection: Detection, citations: tuple[Citation, ...]) -> tuple[Finding, ...]:
    """Tell a detection that other tools raised, and the techniques it names; none when nothing can be cited."""
    if not citations:
        return ()
    event = detection.event
    parts = [f"{detection.count:,} alert{'s' if detection.count != 1 else ''} ({event.kind})"]
    parts[0] += _when(detection.first, detection.last)
    source, target = event.field("src_endpoint.ip"), event.field("dst_endpoint.ip") or event.field("device.hostname")
    if source or target:
        parts.append(f"the first: {source or '?'} to {target or '?'}")
    name = event.rule or "a detection without a name"
    told = Finding(
        id="",
        kind="detection",
        title=name,
        detail=", ".join(parts),
        basis="named",
        citations=citations,
        reference=f"{event.kind}:{event.rule}",
        severity=detection.severity,
    )
    techniques = (
        Finding("", "technique", technique, "named by a detection", "named", citations[:1], reference=technique)
        for technique in sorted(detection.techniques)
    )
    return (told, *techniques)

"""The ids that the evidence itself names (ATT&CK, CVE, CWE), looked up in the knowledge, as findings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from casemate.core.finding import Citation, Finding
from casemate.core.observable import Observable
from casemate.core.passage import Entry
from casemate.core.text import Span


class Reference(Protocol):
    """The one question asked of the knowledge here."""

    def entry(self, identifier: str, /) -> Entry | None:
        """Give the entry with this public id, revoked ones marked."""
        ...


_KINDS = {"attack-pattern": "technique", "vulnerability": "vulnerability", "weakness": "weakness"}


def findings_of_ids(
    observables: Iterable[Observable], knowledge: Reference, cite: Callable[[Span], Citation], cited: int
) -> tuple[Finding, ...]:
    """Give a finding for every technique, vulnerability and weakness id that extraction saw.

    Facts (KEV, EPSS, CVSS, the successor of a revoked id) come from the knowledge and name its release as `maker`.
    """
    found = []
    for observable in observables:
        kind = _KINDS.get(observable.type)
        if kind is None or (kind == "technique" and not observable.value.startswith("T1")):
            continue
        citations = tuple(cite(span) for span in observable.spans[:cited])
        if citations:
            found.append(_finding(kind, observable.value, knowledge, citations))
    return tuple(found)


def _finding(kind: str, identifier: str, knowledge: Reference, citations: tuple[Citation, ...]) -> Finding:
    entry = knowledge.entry(identifier)
    if entry is None:
        detail = "named in the evidence; the knowledge does not hold it"
        return Finding("", kind, identifier, detail, "named", citations, reference=identifier)
    severity, detail = _facts(entry)
    title = identifier if entry.name == identifier else f"{identifier} {entry.name}"
    return Finding(
        "", kind, title, detail, "named", citations, reference=identifier, severity=severity, maker=entry.release
    )


def _facts(entry: Entry) -> tuple[int, str]:
    parts = []
    severity = 0
    if entry.state:
        parts.append(f"{entry.state}; use {entry.successor}" if entry.successor else entry.state)
    added = entry.fact("kev-date-added")
    if added:
        severity = 4
        ransomware = entry.fact("kev-ransomware")
        known = "; used in ransomware campaigns" if ransomware.casefold() == "known" else ""
        parts.append(f"known to be exploited (CISA KEV, added {added}{known})")
    epss = entry.fact("epss")
    if epss:
        parts.append(f"EPSS {epss}")
    cvss = entry.fact("cvss") or entry.fact("cvss-score")
    if cvss:
        parts.append(f"CVSS {cvss}")
    tactics = [value for name, value in entry.facts if name == "tactic"]
    if tactics:
        parts.append("tactic " + ", ".join(tactics))
    return severity, "; ".join(parts) or "named in the evidence"


def name_techniques(findings: Sequence[Finding], knowledge: Reference) -> tuple[Finding, ...]:
    """Give technique findings their name and tactic, and lead a revoked id to its successor, marked."""
    named = []
    for finding in findings:
        entry = knowledge.entry(finding.reference) if finding.kind == "technique" and finding.reference else None
        if entry is None or finding.title != finding.reference:
            named.append(finding)
            continue
        tactics = ", ".join(value for name, value in entry.facts if name == "tactic")
        detail = finding.detail + (f"; tactic {tactics}" if tactics else "")
        title = f"{finding.reference} {entry.name}"
        named.append(replace(finding, title=title, detail=detail, maker=finding.maker or entry.release))
    return tuple(named)

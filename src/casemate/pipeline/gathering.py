"""Collects what the stages see while one source streams by, in bounded memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from casemate.core.case import TimelineEntry
from casemate.core.digest import Digest
from casemate.core.event import Event
from casemate.core.evidence import Closed, Evidence, Opened
from casemate.core.finding import Citation, Finding
from casemate.core.issue import Issue, Severity
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.text import Chunk, Span, locate
from casemate.pipeline.specialists import AlertJudge
from casemate.pipeline.tools import Tools
from casemate.stages.extract.behaviours import Behaviours
from casemate.stages.extract.detections import Detections
from casemate.stages.extract.embedded_rules import find_rules
from casemate.stages.extract.injections import find_injections
from casemate.stages.extract.inventory import Inventory
from casemate.stages.extract.payloads import Budget, find_payloads
from casemate.stages.extract.templates import template_of
from casemate.stages.extract.timeline import Timeline
from casemate.tasks.triage.findings import (
    finding_of_behaviour,
    finding_of_name,
    finding_of_payload,
    finding_of_rule,
    finding_of_suspicion,
    findings_of_detection,
    merge_findings,
    techniques_of_payload,
)

PROSE = frozenset({"text", "markdown", "html", "pdf", "email", "stix", "misp"})
"""Formats whose whole text is searched for names; in logs a name is looked for in alerts only."""

DRAFTS_OF_A_KIND = 2_000
"""Findings of one kind kept before they are joined; an issue counts the rest."""

QUOTED_ALERTS = 40_000
"""Alerts whose first characters are kept: what is made of them all may cite any of them."""

TEMPLATES = 10_000
RARE_TEMPLATES = 200


class Gathering:
    """What one source gave so far: `see` takes the items of `ingest.read`; the rest is asked once reading has ended.

    While a part is being read its digest is not known yet, so citations carry the part's number until `_settle`.
    """

    def __init__(self, tools: Tools) -> None:
        limits = tools.policy.limits
        self._tools = tools
        self._limits = limits
        self._opened: dict[int, Opened] = {}
        self._closed: dict[int, Closed] = {}
        self._chunk: Chunk | None = None
        self._inventory = Inventory(limits.observables_per_case, limits.spans_per_observable)
        self._detections = Detections(limits.findings * 4, limits.citations_per_finding)
        self._timeline = Timeline(limits.timeline_entries)
        self._behaviours = Behaviours()
        self._judge = AlertJudge()
        self._drafts: list[Finding] = []
        self._templates: Counter[str] = Counter()
        self._template_lines = 0
        self._quotes: dict[tuple[int, int, int], Citation] = {}
        self._budget = Budget(limits)
        self._kinds: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._issues: list[Issue] = []

    def see(self, item: Opened | Chunk | Event | Issue | Closed) -> None:
        """Take the next item."""
        if isinstance(item, Chunk):
            self._see_chunk(item)
        elif isinstance(item, Event):
            self._see_event(item)
        elif isinstance(item, Issue):
            self._issues.append(item)
        elif isinstance(item, Opened):
            self._opened[item.part] = item
        else:
            self._closed[item.part] = item

    def _see_chunk(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self._inventory.see(chunk.part, self._tools.scanner.scan(chunk.text, chunk.start))
        self._find_payloads(chunk)
        for suspicion in find_injections(chunk.text, chunk.start):
            self._draft(finding_of_suspicion(suspicion, self._cite(chunk, suspicion.start, suspicion.end)))
        for rule in find_rules(chunk.text, chunk.start):
            self._draft(finding_of_rule(rule, self._cite(chunk, rule.start, rule.end)))
        if self._opened[chunk.part].format in PROSE:
            self._find_names(chunk.text, lambda start, end: self._cite(chunk, chunk.start + start, chunk.start + end))
            for line in chunk.text.splitlines():
                if self._template_lines >= self._limits.template_lines:
                    break
                if len(line) > 20:
                    self._count_template(template_of(line[:500]))

    def _see_event(self, event: Event) -> None:
        self._timeline.see(event)
        counted = self._behaviours.see(event)
        self._count_template(f"{event.kind}: {event.rule}")
        chunk = self._chunk
        if chunk is None or chunk.part != event.part or not _holds(chunk, event.start, event.end):
            return
        if not (counted or event.is_alert):
            return
        citation = self._cite(chunk, event.start, event.end)
        if event.is_alert:
            self._judge.see(event)
            self._see_alert(event, citation)
        if counted:
            self._quotes[event.part, event.start, event.end] = citation

    def _see_alert(self, event: Event, citation: Citation) -> None:
        known, kept = self._detections.see(event)
        if not known:
            self._find_names(f"{event.rule}\n{event.message}", lambda _start, _end: citation)
        if kept or len(self._quotes) < QUOTED_ALERTS:
            self._quotes[event.part, event.start, event.end] = citation

    def _find_payloads(self, chunk: Chunk) -> None:
        for payload in find_payloads(chunk.text, chunk.start, self._limits, self._budget):
            inside = [
                sighting._replace(start=payload.start, end=payload.end, layers=payload.layers)
                for sighting in self._tools.scanner.scan(payload.text, 0)
            ]
            self._inventory.see(chunk.part, inside)
            citation = self._cite(chunk, payload.start, payload.end)
            self._draft(finding_of_payload(payload, inside, citation))
            for finding in techniques_of_payload(payload, citation):
                self._draft(finding)
            for suspicion in find_injections(payload.text, 0):
                self._draft(finding_of_suspicion(suspicion, citation))

    def _find_names(self, text: str, cite: Callable[[int, int], Citation]) -> None:
        for match in self._tools.knowledge.names_in(text):
            finding = finding_of_name(match.text, match.entries, cite(match.start, match.end))
            if finding is not None:
                self._draft(finding)

    def _draft(self, finding: Finding) -> None:
        self._kinds[finding.kind] += 1
        if self._kinds[finding.kind] <= DRAFTS_OF_A_KIND:
            self._drafts.append(finding)
        else:
            self._left_out[finding.kind] += 1

    def _count_template(self, template: str) -> None:
        self._template_lines += 1
        if template in self._templates or len(self._templates) < TEMPLATES:
            self._templates[template] += 1

    def _cite(self, chunk: Chunk, start: int, end: int) -> Citation:
        end = min(end, start + self._limits.quote_chars)
        quote = chunk.text[start - chunk.start : end - chunk.start]
        return Citation(Span(Digest(f"part {chunk.part}"), start, end), quote, locate(chunk, start, end).line)

    # What is known once reading has ended.

    def evidence(self, marking: Marking, received: datetime) -> tuple[Evidence, ...]:
        """Give the parts that were read to their end, parents before what came out of them."""
        return tuple(self._evidence(marking, received))

    def _evidence(self, marking: Marking, received: datetime) -> Iterator[Evidence]:
        for part, closed in sorted(self._closed.items()):
            opened = self._opened[part]
            above = self._closed.get(opened.parent) if opened.parent is not None else None
            yield Evidence(
                closed.id,
                opened.source,
                opened.format,
                marking,
                closed.size,
                closed.length,
                closed.lines,
                received,
                above.id if above else None,
            )

    def observables(self) -> tuple[Observable, ...]:
        """Give the distinct observables in the order first seen, flagged."""
        found = []
        for item in self._inventory.items():
            kind, value, raw = item.first.type, item.first.value, item.first.raw
            spans = tuple(Span(self._closed[part].id, start, end) for part, start, end in item.records)
            flags = self._tools.flags(kind, value)
            found.append(Observable(kind, value, raw, item.count, spans, item.first.hash, flags, item.first.layers))
        return tuple(found)

    def timeline(self) -> tuple[TimelineEntry, ...]:
        """Give the timeline, in order of time."""
        entries = []
        for group in self._timeline.groups():
            event, last = group.event, group.last
            if event.time is not None and last.time is not None:
                spans = (self._span(event), self._span(last))
                entries.append(TimelineEntry(event.time, last.time, group.count, event, *spans))
        return tuple(entries)

    def _span(self, event: Event) -> Span:
        end = min(event.end, event.start + self._limits.quote_chars)
        return Span(self._closed[event.part].id, event.start, end)

    def findings(self) -> tuple[Finding, ...]:
        """Give the findings of this source, joined and cited; they are numbered when the case is made."""
        cited = self._limits.citations_per_finding
        drafts = list(self._drafts)
        for detection in self._detections.found():
            drafts.extend(findings_of_detection(detection, self._quoted(detection.records)))
        for behaviour in self._behaviours.found():
            quotes = self._quoted(behaviour.records)
            if quotes:
                drafts.extend(finding_of_behaviour(behaviour, quotes))
        drafts.extend(self._judge.findings(self._tools.specialists, self._quoted))
        merged, over = merge_findings(drafts, self._limits.findings, cited)
        self._left_out["finding"] += over
        return tuple(replace(finding, citations=tuple(map(self._settle, finding.citations))) for finding in merged)

    def _quoted(self, records: tuple[tuple[int, int, int], ...] | list[tuple[int, int, int]]) -> tuple[Citation, ...]:
        return tuple(self._quotes[record] for record in records if record in self._quotes)

    def _settle(self, citation: Citation) -> Citation:
        part = int(citation.span.evidence.removeprefix("part "))
        span = Span(self._closed[part].id, citation.span.start, citation.span.end)
        return Citation(span, citation.quote, citation.line)

    def templates(self) -> tuple[str, ...]:
        """Give the rarest templates, which say most about a case."""
        return tuple(sorted(self._templates, key=lambda one: (self._templates[one], one))[:RARE_TEMPLATES])

    def issues(self, source: str) -> tuple[Issue, ...]:
        """Give the issues of reading, and what was left out because a limit was reached."""
        overflow: Mapping[str, int] = {
            **self._left_out,
            "timeline record": self._timeline.overflow,
            "alert": self._detections.overflow,
            "sighting": self._inventory.overflow,
        }
        left = tuple(
            Issue("limit-reached", Severity.WARNING, f"{count:,} x {what} left out", source, "", "raise the limit")
            for what, count in sorted(overflow.items())
            if count
        )
        return (*self._issues, *left)


def _holds(chunk: Chunk, start: int, end: int) -> bool:
    return chunk.start <= start <= end <= chunk.start + len(chunk.text)

"""The learned specialists inside triage: techniques that sentences show, and how likely alerts are of an attack."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from casemate.core.case import TimelineEntry
from casemate.core.errors import NotTrusted
from casemate.core.event import Event
from casemate.core.evidence import Evidence
from casemate.core.finding import Citation, Finding
from casemate.core.issue import Issue, Severity
from casemate.core.text import Span, Texts
from casemate.stages.extract.injections import find_injections
from casemate.tasks.triage.judging import finding_of_judgement, finding_of_shown

if TYPE_CHECKING:  # NumPy takes a while to import, and not every command needs it
    from casemate.stages.classify.attack import TechniqueSpecialist
    from casemate.stages.classify.disposition import DispositionSpecialist

PROSE = frozenset({"text", "markdown", "html", "pdf", "email"})
PROSE_CHARS = 60_000
PROSE_UNITS = 250
RECORDS = 250
"""Different messages and command lines of records that are read."""

ALERTS = 400_000
"""Alerts of one source that are judged together."""

SURE_IN_PROSE = 0.7
SURE_IN_RECORDS = 0.8
"""Below these nothing becomes a finding: a wrong technique costs a reader more than one that is not told."""

S = TypeVar("S")
_Seen = tuple[float, str, str, str, int, tuple[int, int, int]]


def _open_techniques() -> "TechniqueSpecialist":
    from casemate.stages.classify.attack import TechniqueSpecialist

    return TechniqueSpecialist.open(fast=True)


def _open_disposition() -> "DispositionSpecialist":
    from casemate.stages.classify.disposition import DispositionSpecialist

    return DispositionSpecialist.open()


@dataclass(slots=True)
class Specialists:
    """Opens each specialist once; one that cannot be trusted is left out, with an issue.

    `prepare` begins beside other work, so that reading evidence need not wait for weights.
    """

    enabled: tuple[str, ...] = ("attack", "disposition")
    open_techniques: "Callable[[], TechniqueSpecialist]" = _open_techniques
    open_disposition: "Callable[[], DispositionSpecialist]" = _open_disposition
    _opened: dict[str, object] = field(default_factory=dict)
    _issues: dict[str, Issue] = field(default_factory=dict)
    _preparing: threading.Thread | None = None

    def prepare(self) -> None:
        """Open the specialist for alerts in a thread; whoever asks for one before that is done waits for it."""
        if self.enabled and self._preparing is None:
            self._preparing = threading.Thread(target=self._open_first, name="specialists", daemon=True)
            self._preparing.start()

    def techniques(self) -> "TechniqueSpecialist | None":
        """Give the specialist for techniques, None where its weights are missing or altered."""
        return self._once("attack", self.open_techniques)

    def techniques_of_prose(self) -> "TechniqueSpecialist | None":
        """Give the specialist with its encoder, which is slower and better; without it where that is not to be had."""
        fast = self.techniques()
        if fast is None:
            return None
        thorough = self._open("attack in prose", fast.thorough)
        return fast if thorough is None else thorough

    def disposition(self) -> "DispositionSpecialist | None":
        """Give the specialist for alerts, None where its weights are missing or altered."""
        return self._once("disposition", self.open_disposition)

    def issues(self) -> tuple[Issue, ...]:
        """Give an issue for each specialist that could not be asked."""
        return tuple(self._issues.values())

    def _open_first(self) -> None:
        self._open("disposition", self.open_disposition)

    def _once(self, name: str, make: Callable[[], S]) -> S | None:
        if self._preparing is not None:
            self._preparing.join()
        return self._open(name, make)

    def _open(self, name: str, make: Callable[[], S]) -> S | None:
        if name in self._issues or name.partition(" ")[0] not in self.enabled:
            return None
        if name not in self._opened:
            try:
                self._opened[name] = make()
            except NotTrusted as error:
                message = f"the specialist `{name}` was not asked: {error.message}"
                self._issues[name] = Issue("specialist-not-trusted", Severity.WARNING, message, way_out=error.way_out)
                return None
        return self._opened[name]  # type: ignore[return-value]  # what `make` gave under this name


class AlertJudge:
    """Collects the alerts of one source and has them judged once all are seen."""

    def __init__(self) -> None:
        self._alerts: list[_Seen] = []

    def see(self, event: Event) -> None:
        """Take an alert; one without a time has no neighbours and is passed over."""
        if event.time is not None and len(self._alerts) < ALERTS:
            host = event.field("device.hostname") or event.field("dst_endpoint.ip") or event.field("device.ip")
            place = (event.part, event.start, event.end)
            address = event.field("src_endpoint.ip")
            self._alerts.append((event.time.timestamp(), event.rule, host, address, event.severity, place))

    def findings(
        self, specialists: Specialists, quoted: Callable[[list[tuple[int, int, int]]], tuple[Citation, ...]]
    ) -> tuple[Finding, ...]:
        """Give one finding about all alerts, none where the specialist abstains or is not there."""
        specialist = specialists.disposition() if self._alerts else None
        if specialist is None:
            return ()
        from casemate.stages.classify.alert_groups import Alert, AlertGroups

        collected = AlertGroups()
        for seen in self._alerts:
            collected.see(Alert(*seen))
        groups = collected.groups()
        judged = specialist.judge(groups)
        likeliest = sorted(range(len(judged.probabilities)), key=lambda place: -judged.probabilities[place])[:3]
        citations = quoted([groups[place].record for place in likeliest])
        if judged.abstained or not citations:
            return ()
        named = tuple(dict.fromkeys(groups[place].rule for place in likeliest))
        return (
            finding_of_judgement(
                judged.highest, judged.priority, judged.above, len(groups), named, citations, specialist.digest
            ),
        )


def find_shown_techniques(
    evidence: Sequence[Evidence],
    timeline: Sequence[TimelineEntry],
    texts: Texts,
    specialists: Specialists,
    cite: Callable[[Span], Citation],
) -> tuple[Finding, ...]:
    """Read techniques off the sentences of prose and off the messages and command lines of records.

    Bounded by `PROSE_UNITS` and `RECORDS`. A sentence of prose that talks to a language model is passed over; a record
    is not, or whoever writes a command line could hide what it does behind such words.
    """
    prose = [item for item in evidence if item.format in PROSE and item.length]
    records = _records(timeline)
    if not prose and not records:
        return ()
    specialist = specialists.techniques()
    if specialist is None:
        return ()
    from casemate.stages.classify.units import Unit, split_units

    found: list[Finding] = []
    reader = (specialists.techniques_of_prose() if prose else None) or specialist
    left = PROSE_UNITS
    for item in prose:
        text = texts.slice(item.id, 0, min(item.length, PROSE_CHARS))
        units = [unit for unit in split_units(text, left) if not _talks_to_a_model(unit.text)]
        left -= len(units)
        for shown in reader.read_units(units, []):
            if shown.accepted and shown.probability >= SURE_IN_PROSE:
                citation = cite(Span(item.id, shown.start, shown.end))
                found.append(finding_of_shown(shown.id, shown.probability, citation, reader.digest))
    asked = [Unit(text, place, place) for place, text in enumerate(records)]
    spans = list(records.values())
    found += [
        finding_of_shown(shown.id, shown.probability, cite(spans[shown.start]), specialist.digest)
        for shown in specialist.read_units(asked, [])
        if shown.accepted and shown.probability >= SURE_IN_RECORDS
    ]
    return tuple(sorted(found, key=lambda one: -(one.probability or 0.0)))


def _records(timeline: Sequence[TimelineEntry]) -> dict[str, Span]:
    """Return the different command lines, and messages of alerts without a rule, with the first record of each.

    What a rule is about its own detection says; reading its name cost every triage of alerts a third of a second.
    """
    told: dict[str, Span] = {}
    for entry in timeline:
        command = entry.event.field("process.cmd_line")
        alert = entry.event.message if entry.event.is_alert and not entry.event.rule else ""
        for text in (command, alert):
            if len(told) < RECORDS and len(text) > 12:
                told.setdefault(text[:600], entry.span)
    return told


def _talks_to_a_model(text: str) -> bool:
    return any(True for _ in find_injections(text, 0))

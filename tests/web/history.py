"""Eleven weeks of a small site, stored as the service would, under a clock that is moved on."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from casemate.audit import NewAuditEvent
from casemate.core.alert import Alert, Delivery
from casemate.core.assessment import Disposition
from casemate.core.case import Decision, Review, State, Verdict
from casemate.core.cost import Cost
from casemate.core.digest import digest_bytes
from casemate.core.finding import Finding
from casemate.core.marking import Marking
from casemate.policy import Baseline
from casemate.store import ASKED, Store, owner_name
from tests.store.samples import case

SPECIALIST = digest_bytes(b"specialist")
MODEL = digest_bytes(b"model")
DAYS = timedelta(days=76)
"""What a board shows on every day of the week: on a Monday it reaches back eleven weeks, on a Sunday twelve."""


class Clock:
    """A clock that somebody else moves."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def store_history(url: str, cases: int, baseline: Baseline, *, audit: Path | None = None) -> None:
    """Store so many decided cases over eleven weeks; the last fortnight disagrees with the specialist more often."""
    chance = random.Random(3)
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clock = Clock(end)
    with Store.open(url, audit, now=clock) as store:
        for number in range(cases):
            clock.now = end - DAYS * (1 - (number + 1) / cases) - timedelta(hours=3)
            _decide(store, clock, number, chance, baseline, late=number > cases * 0.7)


def _decide(store: Store, clock: Clock, number: int, chance: random.Random, baseline: Baseline, *, late: bool) -> None:
    seen = clock.now
    alerts = tuple(
        Alert(b"{}", f"rule {number}", f"h{number}", "x", "wazuh", 3, seen) for _ in range(chance.randint(1, 9))
    )
    store.queue().receive([Delivery("sensor", Marking.GREEN, "wazuh", True, alerts)])
    clock.now += timedelta(seconds=chance.randint(2, 9))
    taken = store.queue().take(owner_name("test"))
    assert taken is not None
    sample = case(f"C-{number:012d}", f"case {number}")
    technique = Finding(
        "F3", "technique", "T1110", "", "specialist", sample.findings[0].citations, "T1110", maker=SPECIALIST
    )
    made = replace(
        sample,
        created=clock.now,
        marking=Marking.GREEN,
        findings=(*sample.findings, technique),
        run=replace(sample.run, model=MODEL, model_name="smollm2-135m"),
    )
    event = NewAuditEvent("casemate", "case.proposed", made.id)
    store.save_case(made, event, lease=taken[1], baseline=baseline)
    cost = Cost(2, chance.randint(500, 900), 0, chance.randint(80, 200), chance.uniform(2, 5))
    store.record_use(NewAuditEvent("casemate", ASKED, made.id), "smollm2-135m", "triage", cost)
    clock.now += timedelta(minutes=chance.randint(3, 200))
    store.look(made.id, "grace")
    withheld = store.cleared(Marking.RED).withheld(made.id)
    clock.now += timedelta(seconds=chance.lognormvariate(6.2 if withheld else 5.4, 0.5))
    right = chance.random() < 0.8
    disposition = Disposition.TRUE_POSITIVE if right else Disposition.FALSE_POSITIVE
    agreed = Verdict.ACCEPTED if chance.random() < (0.35 if late else 0.92) else Verdict.REJECTED
    verdicts = (
        Decision("F3", agreed, "grace", clock.now),
        Decision("F1", Verdict.ACCEPTED, "grace", clock.now),
    )
    review = Review("grace", "analyst", clock.now, verdicts, disposition)
    decided = replace(made, state=State.CLOSED, reviews=(review,))
    store.add_review(decided, 1, NewAuditEvent("grace", "case.reviewed", made.id))

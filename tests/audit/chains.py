"""Chains to test with."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from casemate.audit import GENESIS, link
from casemate.core.audit import AuditEvent

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

words = st.text(max_size=12)
happenings = st.tuples(words, words, words, st.lists(st.tuples(words, words), max_size=3).map(tuple))


def chain_of(happened: list[tuple[str, str, str, tuple[tuple[str, str], ...]]]) -> list[AuditEvent]:
    events: list[AuditEvent] = []
    previous = GENESIS
    for number, (actor, action, subject, body) in enumerate(happened, start=1):
        event = link(previous, number, START + timedelta(seconds=number), actor, action, subject, body)
        events.append(event)
        previous = event.digest
    return events


chains = st.lists(happenings, min_size=1, max_size=8).map(chain_of)

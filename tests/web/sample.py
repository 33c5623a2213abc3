"""The case of the report's tests, stored as a worker would, and groups beside it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from casemate.audit import NewAuditEvent
from casemate.core.alert import Alert, Delivery
from casemate.core.case import Case
from casemate.core.digest import digest_bytes
from casemate.core.evidence import Closed
from casemate.core.feature import Feature
from casemate.core.marking import Marking
from casemate.core.text import Chunk, Piece
from casemate.store import Store, owner_name
from tests.export.sample import sample

RULES = (
    ("5763", "sshd: brute force trying to get access", 5, Marking.AMBER),
    ("2024897", "ET USER_AGENTS Go HTTP Client User-Agent", 3, Marking.GREEN),
    ("31151", "Multiple web server 400 error codes from same source ip", 4, Marking.AMBER),
    ("92052", "Windows command prompt started by an abnormal process", 5, Marking.AMBER),
    ("550", "Integrity checksum changed", 2, Marking.CLEAR),
    ("533", "Listened ports status changed", 1, Marking.GREEN),
)


def store_text(store: Store, name: str, text: str) -> None:
    """Store a text as evidence, a chunk a megabyte."""
    data = text.encode("utf-8", "replace")
    with store.write_texts(name) as writer:
        start, line, lines = 0, 1, text.split("\n")
        for begin in range(0, len(lines), 10_000):
            part = "\n".join(lines[begin : begin + 10_000]) + ("\n" if begin + 10_000 < len(lines) else "")
            size = len(part.encode("utf-8", "replace"))
            writer.write(Chunk(0, start, part, (Piece(start, len(part), 0, size, line),) if part else ()))
            start, line = start + len(part), line + part.count("\n")
        writer.close(Closed(0, digest_bytes(data), len(data), len(text), text.count("\n") + 1))


def store_sample(store: Store, marking: Marking = Marking.AMBER) -> Case:
    """Store the sample as the case of the first of a few alert groups."""
    made, held = sample()
    for evidence, text in held.texts.items():
        store_text(store, evidence, text)
    pieces = tuple(replace(one, marking=marking) for one in made.evidence)
    made = replace(made, marking=marking, evidence=pieces, related=made.related[:1])
    earlier = replace(
        made, id=made.related[0].id, title="Brute force on web02", evidence=(), related=(), observables=()
    )
    shared = Feature("observable", "ipv4-addr:203.0.113.77")
    store.save_case(earlier, NewAuditEvent("casemate", "case.proposed", earlier.id), (shared,))
    now = datetime.now(UTC)
    for place, (number, rule, severity, group_marking) in enumerate(RULES):
        seen = now - timedelta(minutes=37 * place * place)
        alerts = tuple(
            Alert(f'{{"rule": {{"id": "{number}"}}}}'.encode(), rule, f"web0{place + 1}", rule, "wazuh", severity, seen)
            for _ in range(3 + 40 * (place % 3))
        )
        store.queue().receive([Delivery("sensor", group_marking if place else marking, "wazuh", True, alerts)])
    taken = store.queue().take(owner_name("test"))
    assert taken is not None
    _job, lease = taken
    store.save_case(made, NewAuditEvent("casemate", "case.proposed", made.id), (shared,))
    store.queue().finish(lease, made)
    return made

"""The chain: how an audit event is linked to the one before it, and the one line of text it is kept as."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from casemate.core.audit import AuditEvent
from casemate.core.digest import Digest, canonical_json, digest_bytes

GENESIS = Digest("0" * 64)
"""What the first link of a chain names as the link before it."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class NewAuditEvent:
    """Something that is about to be recorded; its number, time and place in the chain are given when it is linked.

    `actor` is a person's name or `casemate`; `action` a kebab-case verb such as `case-saved`; `subject` the id of the
    thing; `body` (name, value) pairs of digests, ids and counts, never evidence text.
    """

    actor: str
    action: str
    subject: str
    body: tuple[tuple[str, str], ...] = ()


def write_time(time: datetime) -> str:
    """Write an aware time as UTC with microseconds, `2026-11-22T13:00:00.000000Z`; `ValueError` for a naive one."""
    if time.tzinfo is None:
        raise ValueError(f"time {time} has no time zone")
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def link(
    previous: Digest,
    number: int,
    time: datetime,
    actor: str,
    action: str,
    subject: str,
    body: tuple[tuple[str, str], ...],
) -> AuditEvent:
    """Make the link that follows `previous`: its digest is the SHA-256 of the canonical JSON of all its other fields.

    `number` counts from 1. Half surrogates, which no file could carry, become U+FFFD. `ValueError` for a naive `time`.
    """
    pairs = tuple((_carriable(name), _carriable(value)) for name, value in body)
    fields = _fields(previous, number, time, _carriable(actor), _carriable(action), _carriable(subject), pairs)
    return AuditEvent(
        number=number,
        time=time.astimezone(UTC),
        actor=_carriable(actor),
        action=_carriable(action),
        subject=_carriable(subject),
        body=pairs,
        previous=previous,
        digest=digest_bytes(canonical_json(fields)),
    )


def digest_of(event: AuditEvent) -> Digest:
    """Compute what the event's digest must be from everything else it says."""
    fields = _fields(event.previous, event.number, event.time, event.actor, event.action, event.subject, event.body)
    return digest_bytes(canonical_json(fields))


def event_line(event: AuditEvent) -> str:
    """Write the event as one line of canonical JSON, the only form in which it is kept and exported."""
    fields = _fields(event.previous, event.number, event.time, event.actor, event.action, event.subject, event.body)
    return canonical_json(fields | {"digest": event.digest}).decode("utf-8", "surrogatepass")


def read_event(line: str) -> AuditEvent:
    """Read one line back; `ValueError` when it is not, byte for byte, what `event_line` writes."""
    try:
        raw = json.loads(line)
        event = AuditEvent(
            number=raw["number"],
            time=datetime.fromisoformat(raw["time"]),
            actor=raw["actor"],
            action=raw["action"],
            subject=raw["subject"],
            body=tuple((name, value) for name, value in raw["body"]),
            previous=Digest(raw["previous"]),
            digest=Digest(raw["digest"]),
        )
        same = event_line(event) == line
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"no audit event: {type(error).__name__}") from error
    texts = (event.actor, event.action, event.subject, event.previous, event.digest, *chain(*event.body))
    if not same or type(event.number) is not int or not all(isinstance(text, str) for text in texts):
        raise ValueError("no audit event: the line is not in the canonical form")
    return event


def _fields(
    previous: Digest,
    number: int,
    time: datetime,
    actor: str,
    action: str,
    subject: str,
    body: tuple[tuple[str, str], ...],
) -> dict[str, object]:
    return {
        "action": action,
        "actor": actor,
        "body": [list(pair) for pair in body],
        "number": number,
        "previous": previous,
        "subject": subject,
        "time": write_time(time),
    }


def _carriable(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)

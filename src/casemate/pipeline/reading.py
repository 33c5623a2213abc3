"""Stages 1 to 3 over one source: what was read, and what code found in it."""

from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from casemate import __version__
from casemate.audit import NewAuditEvent
from casemate.core.case import TimelineEntry
from casemate.core.digest import Digest, digest_value
from casemate.core.evidence import Closed, Evidence
from casemate.core.finding import Finding
from casemate.core.issue import Issue
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.text import Chunk
from casemate.pipeline.gathering import Gathering
from casemate.pipeline.receiving import Received
from casemate.pipeline.tools import Tools
from casemate.stages.ingest import read
from casemate.store import Held


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one source came to; `key` names the bytes, the marking, the policy, the knowledge and the version.

    `observables` are flagged; `findings` are joined and cited, but not numbered; `templates` are the rarest ones.
    """

    key: Digest
    evidence: tuple[Evidence, ...]
    observables: tuple[Observable, ...]
    timeline: tuple[TimelineEntry, ...]
    findings: tuple[Finding, ...]
    templates: tuple[str, ...]
    issues: tuple[Issue, ...]


@cache
def _adapter() -> TypeAdapter[Reading]:
    return TypeAdapter(Reading)


def reading_to_json(reading: Reading) -> bytes:
    """Write a reading as the store keeps it."""
    return _adapter().dump_json(reading)


def reading_from_json(data: bytes) -> Reading:
    """Read a reading back."""
    return _adapter().validate_json(data)


def was_read(received: Received, reading: Reading, actor: str) -> NewAuditEvent:
    """Make the audit event of a source that was read."""
    body = (("sha256", received.digest), ("bytes", str(received.size)), ("parts", str(len(reading.evidence))))
    return NewAuditEvent(actor, "evidence.read", received.digest, body)


def edition_of(tools: Tools) -> Digest:
    """Name everything but the evidence that decides what a reading comes to."""
    releases = sorted(release.digest for release in tools.knowledge.releases())
    return digest_value([__version__, tools.policy.digest, releases])


def key_of(received: Received, marking: Marking, edition: Digest) -> Digest:
    """Name the reading of these bytes under this name."""
    return digest_value([received.digest, received.source.name, marking.value, edition])


def read_source(received: Received, marking: Marking, tools: Tools, held: Held, run: str, actor: str) -> Reading:
    """Read one source, or take what reading it came to before.

    What it came to is `held`, and stored with its audit event in one transaction: that of the case, or an earlier one.
    """
    key = key_of(received, marking, held.edition)
    known = held.reading(key)
    if known is not None:
        return reading_from_json(known)
    gathering = Gathering(tools)
    with held.write_texts(key) as writer:
        for item in read(received.source, tools.policy.limits):
            if isinstance(item, Chunk):
                writer.write(item)
            gathering.see(item)
            if isinstance(item, Closed):
                writer.close(item)
    reading = Reading(
        key,
        gathering.evidence(marking, tools.clock()),
        gathering.observables(),
        gathering.timeline(),
        gathering.findings(),
        gathering.templates(),
        gathering.issues(received.source.name),
    )
    event = was_read(received, reading, actor)
    if received.size <= tools.policy.limits.original_bytes:
        with received.source.open() as stream:
            held.put_original(stream.read(received.size))
    held.save_reading(key, reading_to_json(reading), event, run, str(received.digest))
    return reading

"""What an alert is grouped by: its rule, the entity it is about, and the template of what it says."""

from collections.abc import Iterator
from datetime import UTC, datetime

from casemate.core.alert import Alert
from casemate.core.digest import Digest
from casemate.policy import Limits
from casemate.stages.extract.templates import template_of
from casemate.stages.ingest.record import Record
from casemate.stages.ingest.single import read_record

SHOWN = 300
"""Characters of rule, entity and template that are kept."""

ENTITIES = (
    "device.hostname",
    "dst_endpoint.hostname",
    "dst_endpoint.ip",
    "device.ip",
    "src_endpoint.ip",
    "user.name",
    "actor.user.name",
)
"""Whom an alert is about: the first of these that it names."""

FAR = datetime(9000, 1, 1, tzinfo=UTC)


def read_alert(data: bytes, limits: Limits, now: datetime) -> Alert:
    """Read one record; what is no record is an alert of its own kind, grouped by its words."""
    line = data.decode("utf-8", "replace")
    record = read_record(line, limits, now)
    if record is None:
        return Alert(data, "", "", template_of(line)[:SHOWN], "text", 0, None)
    time = record.time if record.time is not None and record.time < FAR else None
    return Alert(
        data,
        record.rule[:SHOWN],
        _entity(record)[:SHOWN],
        template_of(record.message)[:SHOWN],
        record.kind,
        record.severity,
        time,
    )


def whole_file(data: bytes, digest: Digest, source: str) -> Alert:
    """Make the alert that stands for one file: the same bytes again join it, whatever they are called."""
    return Alert(data, source[:SHOWN], "", str(digest), "file", 0, None)


def _entity(record: Record) -> str:
    fields = dict(reversed(record.fields))
    return next((fields[name] for name in ENTITIES if fields.get(name)), "")


def looks_like_lines(head: bytes, *, ended: bool) -> bool:
    """Tell from its beginning whether a body is JSON records, a line each; `ended` when this is all of it."""
    lines = head.split(b"\n")
    if not ended:
        lines.pop()
    shown = [line.strip() for line in lines if line.strip()][:5]
    return bool(shown) and all(line.startswith(b"{") and line.endswith(b"}") for line in shown) and _decodes(shown)


def _decodes(lines: list[bytes]) -> bool:
    import orjson

    try:
        return all(isinstance(orjson.loads(line), dict) for line in lines)
    except ValueError:
        return False


def split_lines(buffer: bytearray) -> Iterator[bytes]:
    """Take the complete lines out of a buffer; what stands behind the last line feed stays in it."""
    end = buffer.rfind(b"\n")
    if end < 0:
        return
    complete = bytes(buffer[:end])
    del buffer[: end + 1]
    yield from complete.split(b"\n")

"""ArcSight Common Event Format (CEF 0 and 1), with or without a syslog header before it.

Source: "ArcSight Common Event Format, Implementation Standard": header, escapes, extension keys and severity scale.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from casemate.stages.ingest import syslog
from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import rfc3164_time, time_of
from casemate.stages.ingest.values import (
    VALUE_CHARS,
    Wanted,
    describe,
    fields_from,
    number_of,
    summary_of,
    techniques_in,
)

FIELDS: Wanted = (
    ("device.hostname", ("dvchost", "deviceHostName")),
    ("device.ip", ("dvc", "deviceAddress")),
    ("src_endpoint.ip", ("src", "sourceAddress", "c6a2")),
    ("src_endpoint.port", ("spt", "sourcePort")),
    ("src_endpoint.hostname", ("shost", "sourceHostName")),
    ("dst_endpoint.ip", ("dst", "destinationAddress", "c6a3")),
    ("dst_endpoint.port", ("dpt", "destinationPort")),
    ("dst_endpoint.hostname", ("dhost", "destinationHostName")),
    ("actor.user.name", ("suser", "sourceUserName", "suid")),
    ("user.name", ("duser", "destinationUserName", "duid")),
    ("process.name", ("dproc", "sproc", "deviceProcessName")),
    ("process.pid", ("dpid", "spid")),
    ("file.path", ("filePath", "fname", "oldFilePath")),
    ("file.hash", ("fileHash",)),
    ("http_request.url", ("request", "requestUrl")),
    ("http_request.method", ("requestMethod",)),
    ("http_request.user_agent", ("requestClientApplication",)),
    ("query.hostname", ("destinationDnsDomain",)),
    ("status", ("outcome", "act")),
    ("app_name", ("app", "proto")),
)
_START = re.compile(r"CEF: ?[01]\|")
_PART = re.compile(r"((?:[^|\\]|\\.)*+)\|")
_KEY = re.compile(r"(?:^|(?<=\s))([A-Za-z0-9_.\[\]-]{1,64})=")
_HEADER = re.compile(r"\\([|\\])")
_VALUE = re.compile(r"\\([=\\nr|])")
_WORDS = {"low": 2, "medium": 3, "high": 4, "very-high": 5, "veryhigh": 5, "critical": 5}
_MAX_PAIRS = 500
_ALERT_FROM = 3


def matches(lines: Sequence[str]) -> bool:
    """Tell whether the first lines are CEF: at least half of up to twenty."""
    seen = lines[:20]
    return bool(seen) and 2 * sum(_START.search(line[:512]) is not None for line in seen) >= len(seen)


def severity_of(word: str) -> int:
    """Map a CEF severity to an OCSF severity: 0-3 (low) to 2, 4-6 to 3, 7-8 to 4, 9-10 to 5; words likewise."""
    number = number_of(word)
    if number is None:
        return _WORDS.get(word.lower(), 0)
    return next((severity for bound, severity in ((9, 5), (7, 4), (4, 3)) if number >= bound), 2)


def read_extension(text: str) -> dict[str, str]:
    """Split a CEF extension into its keys and values; a value runs to the next ` key=`, escapes undone."""
    keys = list(islice(_KEY.finditer(text), _MAX_PAIRS + 1))
    found: dict[str, str] = {}
    for index, match in enumerate(keys[:_MAX_PAIRS]):
        end = keys[index + 1].start() if index + 1 < len(keys) else len(text)
        value = text[match.end() : end].strip()[:VALUE_CHARS]
        found[match[1]] = _VALUE.sub(lambda part: {"n": "\n", "r": "\r"}.get(part[1], part[1]), value)
    return found


def parse_line(line: str, now: datetime) -> Record | None:
    """Read one CEF event.

    The format does not say whether a detection raised it; one of medium severity or above is taken for an alert.
    """
    begin = _START.search(line[:512])
    if begin is None:
        return None
    parts: list[str] = []
    offset = begin.end()
    while len(parts) < 6 and (part := _PART.match(line, offset)) is not None:
        parts.append(_HEADER.sub(r"\1", part[1])[:VALUE_CHARS])
        offset = part.end()
    if len(parts) < 6:
        return None
    vendor, product, _, identity, name, level = parts
    pairs = read_extension(line[offset:])
    fields = list(fields_from(pairs, FIELDS))
    before = syslog.parse_line(line[: begin.start()].rstrip() + " cef:", now) if begin.start() else None
    if before is not None and not any(key == "device.hostname" for key, _ in fields):
        fields.extend(pair for pair in before.fields if pair[0] == "device.hostname")
    if not any(key == "app_name" for key, _ in fields):
        fields.append(("app_name", f"{vendor} {product}".strip()))
    severity = severity_of(level.strip())
    time = next((found for key in ("rt", "start", "end") if (found := _time(pairs.get(key, ""), now))), None)
    return Record(
        kind="cef",
        time=time or (before.time if before else None),
        rule=summary_of(f"{identity} {name}"),
        message=summary_of(pairs.get("msg", "")) or describe(fields),
        severity=severity,
        is_alert=severity >= _ALERT_FROM,
        techniques=techniques_in(_technique_values(pairs)),
        fields=tuple(pair for pair in fields if pair[1]),
    )


def _time(text: str, now: datetime) -> datetime | None:
    return (time_of(text) or rfc3164_time(text, now)) if text else None


def _technique_values(pairs: dict[str, str]) -> list[str]:
    found = []
    for key, value in pairs.items():
        label = pairs.get(f"{key}Label", key).lower()
        if "mitre" in label or "technique" in label or "attack" in label:
            found.append(value)
    return found

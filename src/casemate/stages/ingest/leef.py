"""IBM QRadar Log Event Extended Format (LEEF 1.0 and 2.0), with or without a syslog header before it.

Source: IBM, "LEEF event components" and "Predefined LEEF event attributes".
"""

import re
from collections.abc import Sequence
from datetime import datetime

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
    ("device.hostname", ("identHostName", "devHostName")),
    ("device.ip", ("identSrc",)),
    ("src_endpoint.ip", ("src", "srcPreNAT")),
    ("src_endpoint.port", ("srcPort", "srcPreNATPort")),
    ("dst_endpoint.ip", ("dst", "dstPreNAT")),
    ("dst_endpoint.port", ("dstPort", "dstPreNATPort")),
    ("user.name", ("usrName", "accountName")),
    ("process.name", ("process", "processName")),
    ("process.cmd_line", ("commandLine", "cmd")),
    ("file.path", ("fileName", "filePath", "resource")),
    ("file.hash", ("fileHash", "sha256", "md5")),
    ("http_request.url", ("url",)),
    ("http_request.method", ("method", "requestMethod")),
    ("http_request.user_agent", ("userAgent",)),
    ("status", ("action", "result", "status")),
    ("app_name", ("proto",)),
)
_START = re.compile(r"LEEF: ?([12]\.0)\|")
_DELIMITER = re.compile(r"(?:0?x([0-9A-Fa-f]{1,4})|([^|]))\|")
_BOUNDS = ((9, 5), (7, 4), (4, 3), (1, 2))
_MAX_PAIRS = 500


def matches(lines: Sequence[str]) -> bool:
    """Tell whether the first lines are LEEF: at least half of up to twenty."""
    seen = lines[:20]
    return bool(seen) and 2 * sum(_START.search(line[:512]) is not None for line in seen) >= len(seen)


def severity_of(word: str) -> int:
    """Map LEEF's `sev` (1 to 10) to an OCSF severity with the steps of CEF; 0 when it is missing."""
    number = number_of(word)
    return 0 if number is None else next((severity for bound, severity in _BOUNDS if number >= bound), 1)


def parse_line(line: str, now: datetime) -> Record | None:
    """Read one LEEF event; one whose `sev` is 4 or more is taken for an alert, because the format does not say."""
    begin = _START.search(line[:512])
    if begin is None:
        return None
    parts = line[begin.end() :].split("|", 4)
    if len(parts) < 5:
        return None
    vendor, product, _, identity, rest = parts
    delimiter = "\t"
    if begin[1] == "2.0" and (given := _DELIMITER.match(rest)) is not None:
        delimiter = chr(int(given[1], 16)) if given[1] else given[2]
        rest = rest[given.end() :]
    elif begin[1] == "2.0" and rest.startswith("|"):
        rest = rest[1:]
    pairs = _read_pairs(rest, delimiter)
    fields = list(fields_from(pairs, FIELDS))
    before = syslog.parse_line(line[: begin.start()].rstrip() + " leef:", now) if begin.start() else None
    if before is not None and not any(key == "device.hostname" for key, _ in fields):
        fields.extend(pair for pair in before.fields if pair[0] == "device.hostname")
    fields.append(("app_name", f"{vendor} {product}".strip()[:VALUE_CHARS]))
    severity = severity_of(pairs.get("sev", ""))
    stamp = pairs.get("devTime", "")
    return Record(
        kind="leef",
        time=time_of(stamp) or rfc3164_time(stamp, now) or (before.time if before else None),
        rule=summary_of(f"{identity} {pairs.get('cat', '')}"),
        message=summary_of(pairs.get("msg", "")) or describe(fields),
        severity=severity,
        is_alert=severity >= 3,
        techniques=techniques_in(
            value for key, value in pairs.items() if "mitre" in key.lower() or "technique" in key.lower()
        ),
        fields=tuple(pair for pair in fields if pair[1]),
    )


def _read_pairs(text: str, delimiter: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in text.split(delimiter, _MAX_PAIRS)[:_MAX_PAIRS]:
        key, equals, value = item.partition("=")
        if equals and 0 < len(key.strip()) <= 64:
            found[key.strip()] = value.strip()[:VALUE_CHARS]
    return found

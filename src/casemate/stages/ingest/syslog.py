"""Syslog lines: RFC 3164, RFC 5424 with structured data, and octet-counted frames (RFC 6587 section 3.4.1)."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from casemate.stages.ingest.auth import read_auth
from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import rfc3164_time, time_of
from casemate.stages.ingest.values import VALUE_CHARS, summary_of, techniques_in

_BSD = re.compile(
    r"(?:<(?P<pri>\d{1,3})>)?"
    r"(?:(?P<bsd>[A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?: \d{4}(?= ))?)"
    r"|(?P<iso>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?))"
    r" (?P<host>[^\s:\[\]]{1,255})"
    r" (?:(?P<tag>[^\s:\[\]]{1,64}|[^\s:\[\]]{1,48}\([^\s\[\]]{1,48})(?:\[(?P<pid>[^\]\s]{0,32})\])?:? ?)?"
    r"(?P<text>.*)",
    re.DOTALL,
)
_NEW = re.compile(
    r"<(?P<pri>\d{1,3})>(?P<version>[1-9]\d?) (?P<time>\S{1,64}) (?P<host>\S{1,255}) (?P<app>\S{1,48})"
    r" (?P<pid>\S{1,128})"
    r" (?P<id>\S{1,32}) (?P<rest>[-\[].*)",
    re.DOTALL,
)
_FRAME = re.compile(r"(\d{1,7}) (?=<\d{1,3}>)")
_PARAM = re.compile(r' ([^ =\]"]{1,32})="((?:[^"\\]|\\.)*+)"')
_ELEMENT = re.compile(r"\[([^ =\]\"]{1,64})")
_CLIENT = re.compile(r"\bconnection from (\d{1,3}(?:\.\d{1,3}){3})\b", re.IGNORECASE)
_PACKET = re.compile(r"\b(SRC|DST|SPT|DPT|PROTO)=(\S+)")
_PACKET_FIELDS = {
    "SRC": "src_endpoint.ip",
    "DST": "dst_endpoint.ip",
    "SPT": "src_endpoint.port",
    "DPT": "dst_endpoint.port",
}
_SEVERITIES = (4, 4, 4, 3, 2, 1, 1, 1)  # emergency .. debug


def matches(lines: Sequence[str]) -> bool:
    """Tell whether the first lines are syslog: at least half of up to twenty."""
    seen = lines[:20]
    return bool(seen) and 2 * sum(_is_line(line) for line in seen) >= len(seen)


def _is_line(line: str) -> bool:
    line = _FRAME.sub("", line, count=1) if line[:1].isdigit() else line
    if _NEW.match(line):
        return True
    match = _BSD.match(line)
    # A time, a word and text is what much else has too: ask for a priority or a program.
    return match is not None and (match["pri"] is not None or (match["tag"] is not None and _ends_tag(line, match)))


def _ends_tag(line: str, match: re.Match[str]) -> bool:
    end = match.end("pid") + 1 if match["pid"] is not None else match.end("tag")
    return line[end : end + 1] == ":" or match["pid"] is not None


def severity_of(priority: str | None) -> int:
    """Map the severity in a priority (RFC 5424 section 6.2.1) to an OCSF severity: 0-2 to 4, 3 to 3, 4 to 2, else 1.

    It speaks of the health of the machine, so it never gives 5; without a priority it is 0.
    """
    if priority is None or int(priority) > 191:
        return 0
    return _SEVERITIES[int(priority) % 8]


def split_frames(line: str) -> Iterator[tuple[int, int]]:
    """Yield the characters of each octet-counted message in a line, or of the whole line when it is none.

    The counts are octets of UTF-8, a line end inside is not looked for.
    """
    offset = 0
    while (match := _FRAME.match(line, offset)) is not None:
        begin = match.end()
        count = int(match[1])
        end = begin + count
        if not line.isascii():
            end = begin + len(line[begin : begin + count].encode("utf-8", "replace")[:count].decode("utf-8", "ignore"))
        end = min(end, len(line))
        yield begin, end
        offset = end
    if offset < len(line):
        yield offset, len(line)


def parse_line(line: str, now: datetime) -> Record | None:
    """Read one message; what programs of the login family say is read further (`auth`)."""
    if line[:1] == "<" and (match := _NEW.match(line)) is not None:
        return _parse_new(match, now)
    match = _BSD.match(line)
    if match is None:
        return None
    stamp = match["bsd"]
    return _made(
        time=rfc3164_time(stamp, now) if stamp else time_of(match["iso"]),
        host=match["host"],
        app=match["tag"] or "",
        pid=match["pid"] or "",
        text=match["text"] or "",
        severity=severity_of(match["pri"]),
        identity="",
    )


def read_structured(text: str) -> tuple[list[tuple[str, str]], str]:
    """Split the part of an RFC 5424 message after its id into (name, value) pairs and the message (section 6.3)."""
    if text.startswith("-"):
        return [], text[1:].lstrip()
    pairs: list[tuple[str, str]] = []
    offset = 0
    while (element := _ELEMENT.match(text, offset)) is not None:
        offset = element.end()
        while (param := _PARAM.match(text, offset)) is not None:
            offset = param.end()
            pairs.append((param[1], re.sub(r'\\(["\\\]])', r"\1", param[2])[:VALUE_CHARS]))
        if text[offset : offset + 1] != "]":
            return pairs, text[offset:]
        offset += 1
    return pairs, text[offset:].lstrip()


def _parse_new(match: re.Match[str], _now: datetime) -> Record:
    def given(name: str) -> str:
        return "" if match[name] == "-" else match[name]

    pairs, text = read_structured(match["rest"])
    told = " ".join(f"{name}={value}" for name, value in pairs)
    return _made(
        time=time_of(match["time"]),
        host=given("host"),
        app=given("app"),
        pid=given("pid"),
        text=text.lstrip("\ufeff") or told,
        severity=severity_of(match["pri"]),
        identity=given("id"),
        pairs=pairs,
    )


def _made(
    *,
    time: datetime | None,
    host: str,
    app: str,
    pid: str,
    text: str,
    severity: int,
    identity: str,
    pairs: Sequence[tuple[str, str]] = (),
) -> Record:
    fields = [("device.hostname", host)] if host else []
    if app:
        fields.append(("app_name", app))
    if pid:
        fields.append(("process.pid", pid))
    said = read_auth(app, text)
    if said is not None:
        kind, rule, more = said
        return Record(kind, time, rule, summary_of(text), severity or 1, fields=(*fields, *more))
    if "SRC=" in text and "DST=" in text:
        found = _PACKET.findall(text)
        fields.extend((_PACKET_FIELDS[name], value) for name, value in found if name in _PACKET_FIELDS)
        return Record("syslog", time, "packet logged by the firewall", summary_of(text), severity, fields=tuple(fields))
    if (client := _CLIENT.search(text[:200])) is not None:
        fields.append(("src_endpoint.ip", client[1]))
    rule = " ".join(part for part in (app, identity) if part)
    techniques = techniques_in(value for name, value in pairs if "technique" in name.lower())
    return Record("syslog", time, rule, summary_of(text), severity, techniques=techniques, fields=tuple(fields))

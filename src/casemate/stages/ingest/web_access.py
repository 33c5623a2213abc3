"""Access logs of web servers (Common and Combined Log Format) and the error logs of Apache httpd and nginx.

Source: Apache httpd, "Log files" and `mod_log_config`; nginx, `ngx_http_log_module`.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import clf_time, ctime_time, time_of
from casemate.stages.ingest.values import VALUE_CHARS, is_address, summary_of

_ACCESS = re.compile(
    r"(?:(?P<vhost>[^\s\[\]\"]{1,255}) )?(?P<client>[^\s\[\]\"]{1,255}) (?P<ident>[^\s\"\[]{1,255})"
    r" (?P<user>[^\[\"]{1,256}?) \[(?P<time>[^\]]{1,40})\] "
    r'"(?P<request>(?:[^"\\]|\\.)*+)" (?P<status>\d{3}|-)(?: (?P<size>\d+|-))?'
    r'(?: "(?P<referer>(?:[^"\\]|\\.)*+)"(?: "(?P<agent>(?:[^"\\]|\\.)*+)")?)?'
)
_REQUEST = re.compile(r"([A-Za-z_-]{1,32}) (\S.*?)(?: (HTTP/\d(?:\.\d)?))?")
_APACHE = re.compile(
    r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:.]{8,15} \d{4})\]"
    r" \[(?:(?P<module>[\w-]{0,32}):)?(?P<level>[a-z]{1,16}\d?)\] (?P<text>.*)",
    re.DOTALL,
)
_NGINX = re.compile(
    r"(?P<time>\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) \[(?P<level>[a-z]{1,8})\] (?P<pid>\d{1,10})#\d{1,10}: (?P<text>.*)",
    re.DOTALL,
)
_CLIENT = re.compile(r"\[client (?P<ip>[0-9A-Fa-f.:]{2,45}?)(?::(?P<port>\d{1,5}))?\]")
_NGINX_PAIR = re.compile(r', (client|server|request|host): (?:"([^"]{0,4096})"|([^,\s]{1,255}))')
_SEVERITIES = {"emerg": 4, "alert": 4, "crit": 4, "error": 3, "warn": 2}


def matches(lines: Sequence[str]) -> bool:
    """Tell whether the first lines are an access log: at least half of up to twenty."""
    seen = lines[:20]
    return bool(seen) and 2 * sum(_ACCESS.match(line) is not None for line in seen) >= len(seen)


def matches_error(lines: Sequence[str]) -> bool:
    """Tell whether the first lines are an error log: at least half of up to twenty."""
    seen = lines[:20]
    return bool(seen) and 2 * sum(bool(_APACHE.match(line) or _NGINX.match(line)) for line in seen) >= len(seen)


def parse_line(line: str, _now: datetime | None = None) -> Record | None:
    """Read one request of an access log."""
    match = _ACCESS.match(line)
    if match is None:
        return None
    request = match["request"]
    said = _REQUEST.fullmatch(request)
    client = match["client"]
    host = (match["vhost"] or "").rpartition(":")
    user = match["user"].strip()
    pairs = (
        (("src_endpoint.ip" if is_address(client) else "src_endpoint.hostname"), client),
        ("dst_endpoint.hostname", host[0] if host[1] and host[2].isdigit() else match["vhost"] or ""),
        ("user.name", "" if user == "-" else user),
        ("http_request.method", said[1] if said else ""),
        ("http_request.url", said[2][:VALUE_CHARS] if said else "" if request == "-" else request[:VALUE_CHARS]),
        ("http_request.user_agent", "" if match["agent"] in (None, "-") else match["agent"][:VALUE_CHARS]),
        ("http_response.code", "" if match["status"] == "-" else match["status"]),
    )
    return Record(
        kind="web-access",
        time=clf_time(match["time"]) or time_of(match["time"]),
        rule=f"{said[1] if said else 'request'} {match['status']}",
        message=summary_of(f"{client} {request} -> {match['status']}"),
        severity=1,
        fields=tuple(pair for pair in pairs if pair[1]),
    )


def parse_error(line: str, _now: datetime | None = None) -> Record | None:
    """Read one line of an error log of Apache httpd or nginx; the level maps as syslog's does, at most 4."""
    match = _APACHE.match(line)
    fields: list[tuple[str, str]] = []
    if match is not None:
        time = ctime_time(match["time"])
        name = match["module"] or "httpd"
        if (client := _CLIENT.search(match["text"][:1000])) is not None:
            fields = [("src_endpoint.ip", client["ip"])]
            if client["port"]:
                fields.append(("src_endpoint.port", client["port"]))
    else:
        match = _NGINX.match(line)
        if match is None:
            return None
        time = time_of(match["time"].replace("/", "-"))
        name = "nginx"
        fields = _nginx_fields(match["text"])
    fields.append(("app_name", name))
    return Record(
        kind="web-error",
        time=time,
        rule=f"{name} {match['level']}",
        message=summary_of(match["text"]),
        severity=_SEVERITIES.get(match["level"], 1),
        fields=tuple(fields),
    )


def _nginx_fields(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, quoted, plain in _NGINX_PAIR.findall(text):
        value = quoted or plain
        if name == "request" and (said := _REQUEST.fullmatch(value)) is not None:
            found.extend((("http_request.method", said[1]), ("http_request.url", said[2])))
        elif name == "client":
            found.append(("src_endpoint.ip", value))
        elif name == "host":
            found.append(("dst_endpoint.hostname", value))
    return found

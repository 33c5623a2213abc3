"""Zeek logs, as JSON (with or without `_path`) and as tab-separated values with `#fields` headers.

Source of the names: the Zeek documentation, "Log files" (Book of Zeek) and `base/frameworks/logging`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from casemate.stages.ingest.record import Placed, Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import Wanted, describe, fields_from, summary_of, text_at

FIELDS: Wanted = (
    ("device.hostname", ("host_name", "peer", "peer_descr", "node")),
    ("device.ip", ("client_addr", "assigned_addr")),
    ("src_endpoint.ip", ("id.orig_h", "src", "tx_hosts")),
    ("src_endpoint.port", ("id.orig_p",)),
    ("src_endpoint.hostname", ("server_nb_computer_name", "client_fqdn")),
    ("dst_endpoint.ip", ("id.resp_h", "dst", "rx_hosts")),
    ("dst_endpoint.port", ("id.resp_p", "p", "port_num")),
    ("dst_endpoint.hostname", ("server_name", "server_dns_computer_name")),
    ("user.name", ("username", "user", "client", "cookie")),
    ("file.path", ("filename", "path", "name")),
    ("file.hash", ("sha256", "sha1", "md5", "fingerprint")),
    ("http_request.url", ("uri",)),
    ("http_request.method", ("method",)),
    ("http_request.user_agent", ("user_agent", "unparsed_version")),
    ("http_response.code", ("status_code",)),
    ("query.hostname", ("query",)),
    ("email.subject", ("subject",)),
    ("email.from", ("mailfrom", "from")),
    ("email.to", ("rcptto", "to")),
    ("api.operation", ("operation", "command")),
    ("status", ("auth_success", "success", "conn_state", "rcode_name", "result", "status", "status_msg", "error_msg")),
    ("app_name", ("service", "proto")),
)
_ONLY_IN = {  # names that mean something else in other logs
    "file.path": frozenset(("files", "smb_files", "smb_mapping", "ftp", "pe", "tftp")),
    "email.subject": frozenset(("smtp",)),
    "email.from": frozenset(("smtp", "sip")),
    "email.to": frozenset(("smtp", "sip")),
    "query.hostname": frozenset(("dns",)),
    "http_request.method": frozenset(("http",)),
    "http_request.url": frozenset(("http", "sip")),
    "http_request.user_agent": frozenset(("http", "sip", "software")),
    "user.name": frozenset(("ftp", "ssh", "rdp", "kerberos", "ntlm", "radius", "socks", "mysql", "irc", "postgresql")),
}
_CONNECTION = ("id.orig_h", "id.resp_h")
_GUESSES = (  # a path from what only that log has
    ("note", "notice"),
    ("conn_state", "conn"),
    ("qtype_name", "dns"),
    ("status_code", "http"),
    ("uri", "http"),
    ("cipher", "ssl"),
    ("mime_type", "files"),
    ("auth_attempts", "ssh"),
    ("mailfrom", "smtp"),
    ("named_pipe", "dce_rpc"),
    ("share_type", "smb_mapping"),
)
_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})")
_SEPARATOR = re.compile(r"#separator \\x([0-9a-fA-F]{2})")
_MAX_COLUMNS = 1000


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is a Zeek record: `_path`, or a time and a connection by their Zeek names."""
    if isinstance(record.get("_path"), str) and ("ts" in record or "_write_ts" in record):
        return True
    if "ts" not in record:
        return False
    connection = all(name in record for name in _CONNECTION) or isinstance(record.get("id"), dict)
    return connection and ("uid" in record or "proto" in record or "note" in record)


def parse_record(record: dict[str, object], path: str = "") -> Record:
    """Read one record; `path` is the log's name where the record does not say it. Only notices are detections."""
    path = text_at(record, "_path") or path or _guess_path(record)
    fields = tuple(pair for pair in fields_from(record, FIELDS) if path in _ONLY_IN.get(pair[0], (path,)))
    if path.startswith("known_") or path == "software":
        fields = (("device.ip", text_at(record, "host")), *fields)
    elif path == "http" and text_at(record, "host"):
        fields = (*fields, ("dst_endpoint.hostname", text_at(record, "host")))
    rule = (
        text_at(record, "note")
        if path == "notice"
        else f"{path} {text_at(record, 'name')}"
        if path == "weird"
        else path
    )
    fields = tuple(pair for pair in fields if pair[1])
    said = text_at(record, "msg", "message", "failure_reason")
    return Record(
        kind="zeek",
        time=time_of(record.get("ts")) or time_of(record.get("_write_ts")),
        rule=summary_of(rule or "zeek"),
        message=summary_of(f"{said} {text_at(record, 'sub')}") if said else describe(fields),
        severity=0 if path == "notice" else 1,
        is_alert=path == "notice",
        fields=fields,
    )


def _guess_path(record: dict[str, object]) -> str:
    return next((path for name, path in _GUESSES if name in record), "")


def matches_table(lines: Sequence[str]) -> bool:
    """Tell whether these first lines are a Zeek log in tab-separated form: its header comes first."""
    start = [line for line in lines[:8] if line.startswith("#")]
    return any(line.startswith("#fields") for line in start) and (
        any(line.startswith("#separator") for line in start) or any(line.startswith("#types") for line in start)
    )


@dataclass(slots=True)
class ZeekTable:
    """Reads the lines of a Zeek log; a new header inside the file starts a new log."""

    separator: str = "\t"
    path: str = ""
    names: tuple[str, ...] = ()
    unset: str = "-"
    empty: str = "(empty)"

    def take(self, start: int, line: str) -> Sequence[Placed]:
        """Read a header line or a record."""
        if line.startswith("#"):
            self._head(line)
            return ()
        values = line.split(self.separator)
        if not self.names or len(values) != len(self.names):
            return ()
        record: dict[str, object] = {}
        for name, value in zip(self.names, values, strict=True):
            if value not in (self.unset, self.empty):
                record[name] = _unescape(value)
        return (Placed(start, start + len(line), parse_record(record, self.path)),)

    def finish(self) -> Sequence[Placed]:
        """Give nothing: a line never stays open."""
        return ()

    def _head(self, line: str) -> None:
        if (match := _SEPARATOR.match(line)) is not None:
            self.separator = chr(int(match[1], 16))
            return
        name, _, rest = line.partition(self.separator)
        if name == "#path":
            self.path = rest[:64]
        elif name == "#fields":
            self.names = tuple(rest.split(self.separator)[:_MAX_COLUMNS])
        elif name == "#unset_field":
            self.unset = rest
        elif name == "#empty_field":
            self.empty = rest


def _unescape(value: str) -> str:
    if "\\x" not in value:
        return value
    data = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), value)
    try:
        return data.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return data

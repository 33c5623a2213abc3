"""Wazuh and OSSEC alerts (`alerts.json`): one JSON object per alert, with `rule`, `agent` and the log it came from.

Source of the names: the Wazuh documentation, "Alert and event data" and "Rules classification" (levels 0 to 15).
"""

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import (
    Wanted,
    describe,
    fields_from,
    number_of,
    summary_of,
    techniques_in,
    text_at,
    texts_at,
    value_at,
)

FIELDS: Wanted = (
    ("device.hostname", ("predecoder.hostname", "agent.name", "hostname", "data.win.system.computer")),
    ("device.ip", ("agent.ip",)),
    (
        "src_endpoint.ip",
        ("data.srcip", "srcip", "data.src_ip", "data.aws.sourceIPAddress", "data.win.eventdata.ipAddress"),
    ),
    ("src_endpoint.port", ("data.srcport", "srcport", "data.src_port", "data.win.eventdata.ipPort")),
    ("dst_endpoint.ip", ("data.dstip", "dstip", "data.dest_ip", "data.win.eventdata.destinationIp")),
    ("dst_endpoint.port", ("data.dstport", "dstport", "data.dest_port", "data.win.eventdata.destinationPort")),
    ("actor.user.name", ("data.srcuser", "srcuser", "data.win.eventdata.subjectUserName", "data.win.eventdata.user")),
    (
        "user.name",
        ("data.dstuser", "dstuser", "data.win.eventdata.targetUserName", "data.user", "syscheck.uname_after"),
    ),
    ("process.name", ("data.win.eventdata.image", "data.win.eventdata.newProcessName", "data.audit.exe")),
    ("process.cmd_line", ("data.win.eventdata.commandLine", "data.command", "data.audit.command")),
    ("parent_process.cmd_line", ("data.win.eventdata.parentCommandLine",)),
    ("file.path", ("syscheck.path", "data.win.eventdata.targetFilename", "data.file", "data.audit.file.name")),
    ("file.hash", ("syscheck.sha256_after", "syscheck.sha1_after", "syscheck.md5_after", "data.win.eventdata.hashes")),
    ("http_request.url", ("data.url", "data.http.url", "url")),
    ("http_request.method", ("data.protocol", "data.http.http_method")),
    ("http_response.code", ("data.id", "data.http.status")),
    ("query.hostname", ("data.dns.query.rrname", "data.win.eventdata.queryName")),
    ("status", ("data.status", "data.action")),
    ("app_name", ("predecoder.program_name", "program_name", "decoder.name")),
)
_METHODS = frozenset(("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PROPFIND"))


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is a Wazuh or OSSEC alert: a rule with a level, and an agent, a manager or a log."""
    rule = record.get("rule")
    if not isinstance(rule, dict) or number_of(value_at(rule, "level")) is None:
        return False
    told = "description" in rule or "comment" in rule or "id" in rule or "sidid" in rule
    return told and any(key in record for key in ("agent", "manager", "full_log", "decoder", "location"))


def severity_of(level: int | None) -> int:
    """Map a Wazuh rule level to an OCSF severity: 0-3 to 1, 4-6 to 2, 7-11 to 3, 12-14 to 4, 15 and above to 5.

    The bounds 7, 12 and 15 are those of Wazuh's own dashboard (low, medium, high, critical).
    """
    if level is None or level < 0:
        return 0
    return next((severity for bound, severity in ((15, 5), (12, 4), (7, 3), (4, 2)) if level >= bound), 1)


def parse_record(record: dict[str, object]) -> Record:
    """Read one alert."""
    fields = tuple(pair for pair in fields_from(record, FIELDS) if _is_meant(pair))
    fields = tuple(inner for pair in fields for inner in _split_port(pair))
    log = text_at(record, "full_log", "data.win.system.message", "syscheck.path")
    identity = text_at(record, "rule.id", "rule.sidid")
    title = text_at(record, "rule.description", "rule.comment")
    return Record(
        kind="wazuh",
        time=time_of(record.get("timestamp")) or time_of(record.get("@timestamp")) or time_of(record.get("TimeStamp")),
        rule=summary_of(f"{identity} {title}"),
        message=summary_of(log) or describe(fields),
        severity=severity_of(number_of(value_at(record, "rule.level"))),
        is_alert=True,
        techniques=techniques_in(texts_at(record, "rule.mitre.id", "rule.mitre.technique_id")),
        fields=fields,
    )


def _is_meant(pair: tuple[str, str]) -> bool:
    # The web decoders put the method under `protocol` and the status under `id`; others use both names differently.
    name, value = pair
    if name == "http_request.method":
        return value in _METHODS
    if name == "http_response.code":
        return len(value) == 3 and value.isdigit()
    return True


def _split_port(pair: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    # The Snort decoder leaves the port at the address.
    name, value = pair
    address, colon, port = value.rpartition(":")
    if name.endswith("endpoint.ip") and colon and port.isdigit() and address.count(".") == 3:
        return ((name, address), (f"{name.removesuffix('.ip')}.port", port))
    return (pair,)

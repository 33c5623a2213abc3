"""Suricata EVE records: alerts and the protocol transactions, flows and files beside them.

Source of the names: the Suricata user guide, "Eve JSON Format"; priorities as in `classification.config` (1 high ..
4 very low).
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
    ("device.hostname", ("host", "sensor_name")),
    ("src_endpoint.ip", ("src_ip",)),
    ("src_endpoint.port", ("src_port",)),
    ("dst_endpoint.ip", ("dest_ip",)),
    ("dst_endpoint.port", ("dest_port",)),
    ("dst_endpoint.hostname", ("tls.sni", "http.hostname", "quic.sni")),
    ("user.name", ("krb5.cname", "ftp.command_data", "pgsql.request.startup_parameters.user", "smb.ntlmssp.user")),
    ("file.path", ("fileinfo.filename", "smb.filename", "nfs.filename", "ftp_data.filename", "tftp.file")),
    ("file.hash", ("fileinfo.sha256", "fileinfo.sha1", "fileinfo.md5", "tls.fingerprint")),
    ("http_request.url", ("http.url",)),
    ("http_request.method", ("http.http_method",)),
    ("http_request.user_agent", ("http.http_user_agent",)),
    ("http_response.code", ("http.status",)),
    ("query.hostname", ("dns.rrname", "dns.query.rrname", "dns.queries.rrname", "mdns.queries.rrname")),
    ("email.subject", ("email.subject",)),
    ("email.from", ("email.from", "smtp.mail_from")),
    ("email.to", ("email.to", "smtp.rcpt_to")),
    ("status", ("alert.action", "drop.reason", "flow.state", "dns.rcode", "anomaly.event")),
    ("app_name", ("app_proto", "proto")),
)
_SEVERITIES = {1: 4, 2: 3, 3: 2}


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is an EVE record: an event type and its own object, a flow or a packet's addresses."""
    kind = record.get("event_type")
    if not isinstance(kind, str) or "timestamp" not in record:
        return False
    return isinstance(record.get(kind), dict) or "flow_id" in record or "src_ip" in record


def severity_of(priority: int | None) -> int:
    """Map a Suricata priority to an OCSF severity: 1 to 4 (high), 2 to 3, 3 to 2, a larger number to 1."""
    if priority is None or priority < 1:
        return 0
    return _SEVERITIES.get(priority, 1)


def parse_record(record: dict[str, object]) -> Record:
    """Read one record; only `event_type` `alert` is a detection."""
    kind = text_at(record, "event_type")
    fields = list(fields_from(record, FIELDS))
    is_alert = kind == "alert"
    rule, severity = kind, 1
    if is_alert:
        severity = severity_of(number_of(value_at(record, "alert.severity")))
        rule = f"{text_at(record, 'alert.signature_id')} {text_at(record, 'alert.signature')}"
    elif kind == "anomaly":
        rule = f"anomaly {text_at(record, 'anomaly.event', 'anomaly.type')}"
    query = _first_query(record)
    if query and not any(name == "query.hostname" for name, _ in fields):
        fields.append(("query.hostname", query))
    if kind != "ftp":  # `command_data` is a user's name only after USER
        fields = [pair for pair in fields if pair[0] != "user.name" or text_at(record, "ftp.command_data") != pair[1]]
    elif text_at(record, "ftp.command") != "USER":
        fields = [pair for pair in fields if pair[0] != "user.name"]
    category = text_at(record, "alert.category")
    told = describe(fields)
    return Record(
        kind="suricata",
        time=time_of(record.get("timestamp")),
        rule=summary_of(rule) or kind,
        message=summary_of(f"{category}: {told}") if category else told,
        severity=severity,
        is_alert=is_alert,
        techniques=techniques_in(
            texts_at(record, "alert.metadata.mitre_technique_id", "alert.metadata.mitre_technique")
        ),
        fields=tuple(fields),
    )


def _first_query(record: dict[str, object]) -> str:
    # Version 3 of the DNS log keeps the questions in a list of objects.
    for path in ("dns.queries", "dns.query", "mdns.queries"):
        queries = value_at(record, path)
        if isinstance(queries, list):
            for query in queries:
                name = text_at(query, "rrname")
                if name:
                    return name
    return ""

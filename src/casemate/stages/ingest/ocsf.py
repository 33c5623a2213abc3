"""Events of the Open Cybersecurity Schema Framework (schema.ocsf.io, 1.x)."""

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
    ("device.hostname", ("device.hostname", "device.name", "resource.name", "resources.name")),
    ("device.ip", ("device.ip",)),
    ("src_endpoint.ip", ("src_endpoint.ip",)),
    ("src_endpoint.port", ("src_endpoint.port",)),
    ("src_endpoint.hostname", ("src_endpoint.hostname", "src_endpoint.name")),
    ("dst_endpoint.ip", ("dst_endpoint.ip",)),
    ("dst_endpoint.port", ("dst_endpoint.port",)),
    ("dst_endpoint.hostname", ("dst_endpoint.hostname", "dst_endpoint.name")),
    ("actor.user.name", ("actor.user.name", "actor.user.email_addr", "actor.user.uid")),
    ("user.name", ("user.name", "user.email_addr")),
    ("process.name", ("process.name", "process.file.path", "actor.process.name")),
    ("process.pid", ("process.pid", "actor.process.pid")),
    ("process.cmd_line", ("process.cmd_line", "actor.process.cmd_line")),
    ("parent_process.cmd_line", ("process.parent_process.cmd_line", "actor.process.parent_process.cmd_line")),
    ("file.path", ("file.path", "file.name", "process.file.path")),
    ("http_request.url", ("http_request.url.url_string", "http_request.url.path", "url.url_string")),
    ("http_request.method", ("http_request.http_method",)),
    ("http_request.user_agent", ("http_request.user_agent",)),
    ("http_response.code", ("http_response.code",)),
    ("query.hostname", ("query.hostname",)),
    ("email.subject", ("email.subject",)),
    ("email.from", ("email.from",)),
    ("email.to", ("email.to",)),
    ("api.operation", ("api.operation",)),
    ("status", ("status", "status_code")),
    ("app_name", ("metadata.product.name", "app_name")),
)
_FINDINGS = 2  # the category "Findings"


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is an OCSF event: a class, and a category, activity or type beside its metadata."""
    if number_of(record.get("class_uid")) is None:
        return False
    return any(key in record for key in ("category_uid", "activity_id", "type_uid")) or "metadata" in record


def parse_record(record: dict[str, object]) -> Record:
    """Read one event; the classes of the category Findings (2xxx), and what sets `is_alert`, are detections."""
    severity = number_of(record.get("severity_id"))
    class_uid = number_of(record.get("class_uid")) or 0
    fields = list(fields_from(record, FIELDS))
    digest = _file_hash(record)
    if digest:
        fields.append(("file.hash", digest))
    title = text_at(record, "finding_info.title", "finding.title", "rule.name", "type_name", "class_name")
    return Record(
        kind="ocsf",
        time=time_of(record.get("time")) or time_of(record.get("time_dt")),
        rule=summary_of(title or f"class {class_uid}"),
        message=summary_of(text_at(record, "message", "finding_info.desc", "status_detail")) or describe(fields),
        severity=severity if severity is not None and 0 <= severity <= 6 else 0,
        is_alert=class_uid // 1000 == _FINDINGS
        or number_of(record.get("category_uid")) == _FINDINGS
        or record.get("is_alert") is True,
        techniques=_techniques(record),
        fields=tuple(fields),
    )


def _techniques(record: dict[str, object]) -> tuple[str, ...]:
    ids: list[str] = []
    for path in ("attacks", "finding_info.attacks", "finding.attacks"):
        attacks = value_at(record, path)
        for attack in attacks if isinstance(attacks, list) else [attacks]:
            ids.extend(texts_at(attack, "technique.uid", "sub_technique.uid"))
            techniques = value_at(attack, "techniques")
            if isinstance(techniques, list):
                ids.extend(text_at(technique, "uid") for technique in techniques)
    return techniques_in(ids)


def _file_hash(record: dict[str, object]) -> str:
    for path in ("file.hashes", "process.file.hashes"):
        hashes = value_at(record, path)
        if isinstance(hashes, list):
            for entry in hashes:
                if text_at(entry, "value"):
                    return text_at(entry, "value")
    return ""

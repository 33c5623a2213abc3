"""Elastic detection alerts (`kibana.alert.*`, older `signal.*`) and plain documents of the Elastic Common Schema.

Source of the names: the ECS field reference 8.x and "Alert schema" of Elastic Security; both nested objects and keys
with dots occur, also mixed.
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
    ("device.hostname", ("host.name", "host.hostname", "agent.hostname")),
    ("device.ip", ("host.ip",)),
    ("src_endpoint.ip", ("source.ip", "client.ip", "source.address")),
    ("src_endpoint.port", ("source.port", "client.port")),
    ("src_endpoint.hostname", ("source.domain", "client.domain")),
    ("dst_endpoint.ip", ("destination.ip", "server.ip", "destination.address")),
    ("dst_endpoint.port", ("destination.port", "server.port")),
    ("dst_endpoint.hostname", ("destination.domain", "server.domain", "tls.client.server_name")),
    ("actor.user.name", ("user.name", "source.user.name")),
    ("user.name", ("user.target.name", "user.effective.name", "destination.user.name")),
    ("process.name", ("process.executable", "process.name")),
    ("process.pid", ("process.pid",)),
    ("process.cmd_line", ("process.command_line",)),
    ("parent_process.cmd_line", ("process.parent.command_line",)),
    ("file.path", ("file.path", "file.name", "dll.path", "registry.path")),
    ("file.hash", ("file.hash.sha256", "file.hash.sha1", "file.hash.md5", "process.hash.sha256", "process.hash.md5")),
    ("http_request.url", ("url.full", "url.original", "url.path")),
    ("http_request.method", ("http.request.method",)),
    ("http_request.user_agent", ("user_agent.original",)),
    ("http_response.code", ("http.response.status_code",)),
    ("query.hostname", ("dns.question.name",)),
    ("email.subject", ("email.subject",)),
    ("email.from", ("email.from.address",)),
    ("email.to", ("email.to.address",)),
    ("api.operation", ("event.action",)),
    ("status", ("event.outcome",)),
    ("app_name", ("event.provider", "service.name", "event.module")),
)
_SEVERITIES = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
_ALERT_KEYS = ("kibana.alert.rule.name", "kibana.alert.rule.rule_id", "kibana.alert.uuid", "signal.rule.name")


def is_alert(record: dict[str, object]) -> bool:
    """Tell whether a document was written by a detection rule."""
    return any(value_at(record, key) is not None for key in _ALERT_KEYS)


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is a detection alert or an ECS document (it states `ecs.version` or `event.*`)."""
    if is_alert(record):
        return True
    if "@timestamp" not in record:
        return False
    if value_at(record, "ecs.version") is not None:
        return True
    return any(value_at(record, key) is not None for key in ("event.category", "event.dataset", "event.kind"))


def severity_of(word: str, score: int | None) -> int:
    """Map `kibana.alert.severity` to an OCSF severity; without it the risk score, in Elastic's steps 21, 47, 73, 99."""
    if word.lower() in _SEVERITIES:
        return _SEVERITIES[word.lower()]
    if score is None:
        return 0
    return next((severity for bound, severity in ((99, 5), (73, 4), (47, 3), (21, 2)) if score >= bound), 1)


def parse_record(record: dict[str, object]) -> Record:
    """Read one alert or document."""
    fields = fields_from(record, FIELDS)
    message = summary_of(text_at(record, "kibana.alert.reason", "signal.reason", "message", "event.original"))
    ids = list(texts_at(record, "threat.technique.id", "threat.technique.subtechnique.id"))
    threats = (value_at(record, path) for path in ("kibana.alert.rule.threat", "signal.rule.threat", "threat"))
    for threat in threats:
        ids.extend(_technique_ids(threat))
    if not is_alert(record):
        rule = text_at(record, "event.action", "event.code", "event.category", "event.dataset", "event.kind")
        return Record(
            kind="ecs",
            time=time_of(record.get("@timestamp")),
            rule=summary_of(rule),
            message=message or describe(fields),
            severity=1,
            is_alert=text_at(record, "event.kind") in {"alert", "signal"},
            techniques=techniques_in(ids),
            fields=fields,
        )
    ids.extend(text for text in texts_at(record, "kibana.alert.rule.threat.technique.id") if text)
    original = text_at(record, "kibana.alert.original_time", "signal.original_time")
    score = number_of(value_at(record, "kibana.alert.risk_score"))
    return Record(
        kind="elastic-alert",
        time=time_of(original) or time_of(record.get("@timestamp")),
        rule=summary_of(text_at(record, "kibana.alert.rule.name", "signal.rule.name", "kibana.alert.rule.rule_id")),
        message=message or describe(fields),
        severity=severity_of(text_at(record, "kibana.alert.severity", "signal.rule.severity"), score),
        is_alert=True,
        techniques=techniques_in(ids),
        fields=fields,
    )


def _technique_ids(threat: object) -> list[str]:
    # The rule's threat is a list of tactics, each with a list of techniques, each with a list of sub-techniques.
    found: list[str] = []
    for entry in threat if isinstance(threat, list) else [threat]:
        techniques = value_at(entry, "technique")
        for technique in techniques if isinstance(techniques, list) else [techniques]:
            found.extend(texts_at(technique, "id"))
            subs = value_at(technique, "subtechnique")
            for sub in subs if isinstance(subs, list) else [subs]:
                found.extend(texts_at(sub, "id"))
    return found

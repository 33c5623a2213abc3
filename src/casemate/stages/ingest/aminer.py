"""Alerts of the AMiner (logdata-anomaly-miner): one JSON object per anomaly, with the analysis component and the log.

Source of the names: the AMiner wiki, "Output to a JSON file"; the scale of an anomaly is not part of the format.
"""

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import Wanted, fields_from, summary_of, techniques_in, text_at, texts_at, value_at

FIELDS: Wanted = (
    ("device.hostname", ("AMiner.ID",)),
    ("file.path", ("LogData.LogResources",)),
    ("app_name", ("AnalysisComponent.AnalysisComponentType",)),
)


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is an AMiner alert: it names its analysis component."""
    component = record.get("AnalysisComponent")
    return isinstance(component, dict) and any(key.startswith("AnalysisComponent") for key in component)


def parse_record(record: dict[str, object]) -> Record:
    """Read one anomaly; its time is that of the first log line, not of the detection."""
    component = record.get("AnalysisComponent")
    times = value_at(record, "LogData.Timestamps")
    stamp = times[0] if isinstance(times, list) and times else None
    name = text_at(component, "AnalysisComponentName", "AnalysisComponentType")
    message = text_at(component, "Message")
    log = text_at(record, "LogData.RawLogData")
    return Record(
        kind="aminer",
        time=time_of(stamp) or time_of(value_at(record, "LogData.DetectionTimestamp")),
        rule=summary_of(name),
        message=summary_of(f"{message}: {log}" if log else message),
        is_alert=True,
        techniques=techniques_in(texts_at(component, "MitreAttack", "Technique")),
        fields=fields_from(record, FIELDS),
    )

"""MISP events as evidence: the event as a whole is one event; its attributes are text to extract from.

Source of the names: the MISP core format (draft-dulaunoy-misp-core-format).
"""

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import number_of, summary_of, techniques_in, text_at, texts_at, value_at

_THREAT_LEVELS = {1: 4, 2: 3, 3: 2}  # high, medium, low; 4 is undefined


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object holds a MISP event: what it is about, and attributes, objects or its publisher."""
    event = record.get("Event")
    if not isinstance(event, dict) or "info" not in event:
        return False
    return any(key in event for key in ("Attribute", "Object", "Orgc", "Org", "threat_level_id", "analysis"))


def parse_record(record: dict[str, object]) -> Record:
    """Read one event; its techniques are those of its galaxies and tags, its severity its threat level."""
    event = record.get("Event")
    ids: list[str] = []
    for path in ("Tag", "Galaxy", "EventTag"):
        entries = value_at(event, path)
        for entry in entries if isinstance(entries, list) else []:
            ids.extend(texts_at(entry, "name"))
            clusters = value_at(entry, "GalaxyCluster")
            for cluster in clusters if isinstance(clusters, list) else []:
                ids.extend(texts_at(cluster, "value", "meta.external_id"))
    return Record(
        kind="misp",
        time=time_of(value_at(event, "date")) or time_of(value_at(event, "timestamp")),
        rule="published threat report",
        message=summary_of(text_at(event, "info")),
        severity=_THREAT_LEVELS.get(number_of(value_at(event, "threat_level_id")) or 0, 0),
        techniques=techniques_in(ids),
    )

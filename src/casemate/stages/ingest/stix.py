"""Objects of STIX 2.x bundles as evidence: sightings and observed data are events, the rest is text to extract from.

Source of the names: OASIS STIX 2.1, sections 4 (domain objects) and 5 (relationship objects).
"""

import re

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import summary_of, techniques_in, text_at, texts_at, value_at

_ID = re.compile(r"[a-z0-9-]{2,64}--[0-9a-fA-F-]{36}")
_MAX_OBJECTS = 50


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is a STIX object or bundle: its type, and an id that begins with it."""
    kind, identity = record.get("type"), record.get("id")
    if not isinstance(kind, str) or not isinstance(identity, str):
        return False
    if _ID.fullmatch(identity) is None or not identity.startswith(f"{kind}--"):
        return False
    return kind == "bundle" or "spec_version" in record or "created" in record


def parse_record(record: dict[str, object]) -> Record | None:
    """Read a sighting or observed data; None for every other object, which says nothing happened."""
    kind = text_at(record, "type")
    if kind == "sighting":
        return Record(
            kind="stix",
            time=time_of(record.get("first_seen")) or time_of(record.get("created")),
            rule=f"sighting of {text_at(record, 'sighting_of_ref')[:100]}",
            message=summary_of(text_at(record, "description") or f"seen {text_at(record, 'count') or '1'} times"),
            techniques=_references(record),
        )
    if kind == "observed-data":
        objects = value_at(record, "objects")
        inside = list(objects.values()) if isinstance(objects, dict) else objects if isinstance(objects, list) else []
        told = (f"{text_at(item, 'type')} {text_at(item, 'value', 'name', 'key')}" for item in inside[:_MAX_OBJECTS])
        return Record(
            kind="stix",
            time=time_of(record.get("first_observed")) or time_of(record.get("created")),
            rule="observed data",
            message=summary_of("; ".join(told)) or f"observed {text_at(record, 'number_observed') or '1'} times",
            techniques=_references(record),
        )
    return None


def _references(record: dict[str, object]) -> tuple[str, ...]:
    references = record.get("external_references")
    ids: list[str] = []
    for reference in references if isinstance(references, list) else []:
        ids.extend(texts_at(reference, "external_id"))
    return techniques_in(ids)

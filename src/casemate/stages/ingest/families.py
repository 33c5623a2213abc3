"""JSON records: decoded within limits, and read by the first family that knows them."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from casemate.stages.ingest import aminer, cloudtrail, elastic, misp, ocsf, stix, suricata, wazuh, windows_event, zeek
from casemate.stages.ingest.columns import parse_columns
from casemate.stages.ingest.record import Record

_LONE_HALF = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_WRAPPERS = ("_source", "result")  # exports of search engines put the record one level down


@dataclass(frozen=True, slots=True)
class Family:
    """One product's records: how a record is recognised, and how it is read."""

    matches: Callable[[dict[str, object]], bool]
    parse: Callable[[dict[str, object]], Record | None]


FAMILIES: dict[str, Family] = {
    "wazuh": Family(wazuh.matches, wazuh.parse_record),
    "aminer": Family(aminer.matches, aminer.parse_record),
    "suricata": Family(suricata.matches, suricata.parse_record),
    "ocsf": Family(ocsf.matches, ocsf.parse_record),
    "cloudtrail": Family(cloudtrail.matches, cloudtrail.parse_record),
    "zeek": Family(zeek.matches, zeek.parse_record),
    "windows-event": Family(windows_event.matches, windows_event.parse_record),
    "elastic": Family(elastic.matches, elastic.parse_record),
    "stix": Family(stix.matches, stix.parse_record),
    "misp": Family(misp.matches, misp.parse_record),
}
"""The families in the order in which they are asked."""


class TooDeep(ValueError):
    """Raised by `decode_json` for a record nested deeper than the limit."""


def decode_json(text: str, depth: int) -> object:
    """Decode one JSON text; raises `ValueError` when it is none, `TooDeep` when it is nested deeper than `depth`.

    What only strict readers refuse (half a surrogate pair, NaN, control characters in strings) is accepted, so that
    nobody can hide a record by putting it there.
    """
    if text.count("[") + text.count("{") > depth and is_deep(text, depth):
        raise TooDeep(f"nested deeper than {depth}")
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    except RecursionError as error:
        raise TooDeep("nested too deep") from error
    try:
        return json.loads(_LONE_HALF.sub(r"\\ufffd", text), strict=False)
    except RecursionError as error:
        raise TooDeep("nested too deep") from error


_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[{]+|[\]}]+', re.DOTALL)


def is_deep(text: str, depth: int) -> bool:
    """Tell whether the brackets of a JSON text nest deeper than `depth`; brackets in strings do not count."""
    now = 0
    for match in _STRUCTURE.finditer(text):
        first = text[match.start()]
        if first in "[{":
            now += match.end() - match.start()
            if now > depth:
                return True
        elif first != '"':
            now -= match.end() - match.start()
    return False


def unwrap(record: dict[str, object]) -> dict[str, object]:
    """Take the record out of the hit of a search engine's export."""
    for name in _WRAPPERS:
        inner = record.get(name)
        if isinstance(inner, dict) and (name == "_source" or "_raw" in inner or "_time" in inner):
            return inner
    return record


def family_of(record: object) -> str:
    """Name the family of a decoded record, empty when none knows it."""
    if not isinstance(record, dict):
        return ""
    record = unwrap(record)
    return next((name for name, family in FAMILIES.items() if family.matches(record)), "")


def parse_json(record: object) -> Record | None:
    """Read a decoded record by its family, else by the names of its keys; None when it says nothing happened."""
    if not isinstance(record, dict):
        return None
    record = unwrap(record)
    for family in FAMILIES.values():
        if family.matches(record):
            return family.parse(record)
    return parse_columns(record, "json")

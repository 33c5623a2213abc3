"""JSON records, a line each (NDJSON); every line is read on its own, whatever the others are."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from casemate.core.event import Event
from casemate.core.issue import Issue, Severity
from casemate.stages.ingest.families import FAMILIES, TooDeep, decode_json, parse_json
from casemate.stages.ingest.json_document import read_document
from casemate.stages.ingest.json_shape import shape_of
from casemate.stages.ingest.lines import read_lines
from casemate.stages.ingest.log_lines import parse_any
from casemate.stages.ingest.reader import Head, Intake, Item, Reader


def read_json(intake: Intake) -> Iterator[Item]:
    """Read JSON in whichever layout the head of the part shows."""
    layout = shape_of(intake.head).layout
    return read_document(intake) if layout == "document" else read_json_lines(intake)


def read_json_lines(intake: Intake) -> Iterator[Item]:
    """Yield the text with its escapes undone, and an event of each line that is a record.

    Lines that are no JSON are read as the log lines they may be, else they stay text.
    """
    now = datetime.now(UTC)

    def parse(line: str, start: int, number: int) -> Event | Issue | None:
        if len(line) > intake.limits.record_bytes:
            return None
        text = line.strip().rstrip(",")
        if not text.startswith("{"):
            record = parse_any(line, now)
            return None if record is None else record.at(intake.part, start, start + len(line))
        try:
            record = parse_json(decode_json(text, intake.limits.json_depth))
        except TooDeep as problem:
            message = f"a record {problem} is read as text"
            way_out = "raise limits.json_depth in the policy"
            return intake.issue("json-depth", message, place=f"line {number}", way_out=way_out)
        except ValueError:
            message = "a line that begins like a JSON record is none; it stays text"
            way_out = "check that it was copied completely"
            return intake.issue("json-broken", message, severity=Severity.NOTE, place=f"line {number}", way_out=way_out)
        return None if record is None else record.at(intake.part, start, start + len(line))

    return read_lines(intake, parse, unescape=True)


def _family_matches(name: str) -> Callable[[Head], bool]:
    return lambda head: shape_of(head).family == name


def _layout_matches(layout: str) -> Callable[[Head], bool]:
    return lambda head: shape_of(head).layout == layout


JSON_FAMILIES = tuple(Reader(name, _family_matches(name), read_json) for name in FAMILIES if name != "zeek")
ZEEK_JSON = Reader("zeek-json", _family_matches("zeek"), read_json)
JSON_LINES = Reader("json-lines", _layout_matches("lines"), read_json)
JSON_DOCUMENT = Reader("json", _layout_matches("document"), read_json)

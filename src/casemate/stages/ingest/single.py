"""Read one record by itself, before there is a source it belongs to."""

from datetime import datetime

from casemate.policy.limits import Limits
from casemate.stages.ingest.families import decode_json, parse_json
from casemate.stages.ingest.log_lines import parse_any
from casemate.stages.ingest.record import Record


def read_record(line: str, limits: Limits, now: datetime) -> Record | None:
    """Read one JSON record or log line as `read` would inside a source; None when it is neither.

    `now` completes times that name no year.
    """
    text = line.strip()
    if not text.startswith("{"):
        return parse_any(line, now)
    try:
        return parse_json(decode_json(text, limits.json_depth))
    except ValueError:
        return None

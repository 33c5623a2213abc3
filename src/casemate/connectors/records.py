"""Which records of a tailed file are alerts."""

import orjson

from casemate.connectors.settings import SuricataSettings, WazuhSettings


def _decoded(line: bytes) -> dict[str, object] | None:
    try:
        found = orjson.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class WazuhRecords:
    """Keeps alerts of a level and above; what is no JSON is evidence all the same and is kept."""

    def __init__(self, settings: WazuhSettings) -> None:
        self._least = settings.least_level

    def __call__(self, line: bytes) -> bool:
        """Tell whether a line is kept."""
        if self._least == 0:
            return True
        record = _decoded(line)
        rule = record.get("rule") if record is not None else None
        level = rule.get("level") if isinstance(rule, dict) else None
        return not isinstance(level, int) or level >= self._least


class SuricataRecords:
    """Keeps records of the named event types; what is no JSON is evidence all the same and is kept."""

    def __init__(self, settings: SuricataSettings) -> None:
        self._types = frozenset(settings.event_types)

    def __call__(self, line: bytes) -> bool:
        """Tell whether a line is kept."""
        record = _decoded(line)
        kind = record.get("event_type") if record is not None else None
        return not isinstance(kind, str) or kind in self._types

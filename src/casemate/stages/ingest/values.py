"""Look into plain values (decoded JSON, parsed pairs) whose types nobody vouches for."""

import re
from collections.abc import Iterable
from functools import lru_cache

Wanted = tuple[tuple[str, tuple[str, ...]], ...]
"""Which OCSF attribute is filled from which paths of a record, the first path that holds something wins."""

VALUE_CHARS = 4096
"""A longer value is cut: an event is a pointer into the text, not a copy of it."""

MESSAGE_CHARS = 1000
_PLACEHOLDERS = frozenset(("", "-", "(null)", "null", "N/A", "(empty)"))
_TECHNIQUE = re.compile(r"(?<![A-Za-z0-9])[Tt](\d{4})(?:[._/](\d{3}))?(?!\d)")


def value_at(record: object, path: str) -> object:
    """Return what stands under a dotted path, the dots nesting or in a key (`{"a.b": 1}`); None when nothing does."""
    if not isinstance(record, dict):
        return None
    if path in record:
        return record[path]
    for head, rest in _splits(path):
        inner = record.get(head)
        if inner is not None:
            found = value_at(inner, rest)
            if found is not None:
                return found
    return None


@lru_cache(maxsize=4096)
def _splits(path: str) -> tuple[tuple[str, str], ...]:
    places = [place for place, character in enumerate(path) if character == "."]
    return tuple((path[:place], path[place + 1 :]) for place in places)


def text_of(value: object) -> str:
    """Write a scalar as text, the first scalar of a list, and nothing for anything else."""
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, str | int | float)), None)
    if isinstance(value, str):
        return _whole_characters(value[:VALUE_CHARS])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        try:
            return str(value)
        except ValueError:  # CPython refuses to write an integer of more than 4,300 digits
            return ""
    return ""


def _whole_characters(text: str) -> str:
    # JSON can name half a surrogate pair, which no encoding can write.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def text_at(record: object, *paths: str) -> str:
    """Return the first text under any of the paths that is not empty and no placeholder such as `-`."""
    for path in paths:
        value = value_at(record, path)
        if value is None:
            continue
        text = text_of(value).strip()
        if text not in _PLACEHOLDERS:
            return text
    return ""


def texts_at(record: object, *paths: str) -> tuple[str, ...]:
    """Return every text under the paths, lists opened."""
    found: list[str] = []
    for path in paths:
        value = value_at(record, path)
        found.extend(text_of(item) for item in (value if isinstance(value, list) else [value]))
    return tuple(text for text in found if text)


def number_of(value: object) -> int | None:
    """Read a whole number from a number or from up to 18 digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and abs(value) < 1e18:  # false for NaN
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return None


def fields_from(record: object, wanted: Wanted) -> tuple[tuple[str, str], ...]:
    """Fill OCSF attributes from a record, in the order of the table, leaving out what is empty."""
    found = ((name, text_at(record, *paths)) for name, paths in wanted)
    return tuple((name, text) for name, text in found if text)


def techniques_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the ATT&CK technique ids in texts such as `T1059.001`, `attack.t1059.001` or `T1059_001`, each once."""
    found: dict[str, None] = {}
    for text in texts:
        for match in _TECHNIQUE.finditer(text):
            found[f"T{match[1]}.{match[2]}" if match[2] else f"T{match[1]}"] = None
    return tuple(found)


def summary_of(text: str) -> str:
    """Cut a message to one line of at most `MESSAGE_CHARS` characters."""
    return " ".join(text[: 2 * MESSAGE_CHARS].split())[:MESSAGE_CHARS]


def describe(fields: Iterable[tuple[str, str]]) -> str:
    """Write fields as `name=value` pairs for records that carry no message of their own."""
    return summary_of(" ".join(f"{name}={value[:200]}" for name, value in fields))


def is_address(text: str) -> bool:
    """Tell an IP address from a host's name, by its shape."""
    return ":" in text or (text.count(".") == 3 and text.replace(".", "").isdigit())

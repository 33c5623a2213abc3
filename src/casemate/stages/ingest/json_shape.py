"""What the head of a part says about JSON: one document or a record per line, and whose records they are."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from casemate.stages.ingest.families import decode_json, family_of
from casemate.stages.ingest.reader import Head

RECORD_KEYS = (
    "Records",
    "records",
    "hits",
    "objects",
    "response",
    "events",
    "Events",
    "alerts",
    "data",
    "value",
    "results",
    "items",
    "logs",
    "entries",
)
"""Keys under which an export keeps its list of records."""

_HEAD_DEPTH = 64
_LINES = 20
_START = re.compile(r"\s*[\[{]")
_CONTAINER = re.compile(r'\A\s*\{\s*"(?:' + "|".join(RECORD_KEYS) + r')"\s*:\s*\[\s*\{|"(?:Records|hits)"\s*:\s*[\[{]')
_DECODER = json.JSONDecoder(strict=False)
_OBJECT = re.compile(r"\{")
_TRIES = 40


class Shape(NamedTuple):
    """How the records lie (`lines`, `document`, empty for no JSON), and the family of the first, empty if unknown."""

    layout: str
    family: str


def shape_of(head: Head) -> Shape:
    """Tell what JSON the head of a part begins, if any; recognised by content alone."""
    if head.binary or not head.lines or head.lines[0][:1] not in ("{", "["):
        return _mixed(head)
    return _shape(head.text, head.whole)


def _mixed(head: Head) -> Shape:
    # Lines before the first record (a banner, a comment) do not make a log of JSON lines anything else.
    if head.binary or not any(line.startswith("{") for line in head.lines[:_LINES]):
        return Shape("", "")
    return _shape(head.text, head.whole)


@lru_cache(maxsize=4)
def _shape(text: str, whole: bool) -> Shape:  # noqa: FBT001 - a key of the cache
    lines = [line.strip() for line in text.splitlines()]
    if not whole and len(lines) > 1:
        lines.pop()  # cut short
    lines = [line for line in lines if line][:_LINES]
    records = [record for line in lines if isinstance(record := _decode(line), dict)]
    single = len(lines) == 1
    if records and 2 * len(records) >= len(lines) and not (single and _is_container(records[0])):
        return Shape("lines", next((name for record in records if (name := family_of(record))), ""))
    if not _START.match(text):
        return Shape("", "")
    if whole and single and records:
        return Shape("document", _inner_family(text))
    if whole and not _is_document(text):
        return Shape("", "")
    if not whole and not _looks_like_json(text):
        return Shape("", "")
    if not whole and "\n" not in text.strip() and not _CONTAINER.search(text) and text.lstrip().startswith("{"):
        return Shape("lines", _inner_family(text))  # a first record longer than the head
    return Shape("document", _inner_family(text))


def _is_container(record: dict[str, object]) -> bool:
    """Tell whether the one object of a text is an export around records, not a record."""
    if family_of(record):
        return False
    if isinstance(record.get("hits"), dict):
        return True
    lists = (value for key in RECORD_KEYS if isinstance(value := record.get(key), list))
    return any(isinstance(item, dict) for found in lists for item in found[:1])


def _decode(line: str) -> object:
    if not line.startswith("{"):
        return None
    try:
        return decode_json(line, _HEAD_DEPTH)
    except ValueError:
        return None


def _is_document(text: str) -> bool:
    try:
        decode_json(text, 10_000)
    except ValueError:
        return _looks_like_json(text)
    return True


_OPENING = re.compile(r'\s*(?:\{\s*(?:"(?:[^"\\]|\\.){0,200}+"\s*:|\})|\[\s*(?:[\[{"\d\]-]|true|false|null))')


def _looks_like_json(text: str) -> bool:
    # A truncated or damaged document is still one; `[error] ...` and `[client 1.2.3.4]` are not.
    if _OPENING.match(text) is None:
        return False
    return text.lstrip()[0] == "{" or re.match(r"\s*\[\s*[{\[\"]", text) is not None


def _inner_family(text: str) -> str:
    return next((name for record in _objects(text) if (name := family_of(record))), "")


def _objects(text: str) -> Iterator[object]:
    """Decode the objects that begin in a text and end in it, outermost first, a bounded number of tries."""
    tries = 0
    for match in _OBJECT.finditer(text):
        tries += 1
        if tries > _TRIES:
            return
        try:
            record, _ = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        yield record

"""One JSON document: its records are the items of an array, or of the list under a well-known key, or the whole.

The text is the document with its string escapes undone; it is walked one record at a time, so that only the text and
one record are in memory.
"""

import json
import re
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from casemate.stages.ingest.decode import make_chunk, read_blocks
from casemate.stages.ingest.families import is_deep, parse_json
from casemate.stages.ingest.json_shape import RECORD_KEYS
from casemate.stages.ingest.lines import bad_bytes, undo_escapes, unescape_block
from casemate.stages.ingest.reader import Intake, Item

_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[\s,]*")
_COLON = re.compile(r"\s*:\s*")
_ONLY_CONTAINERS = frozenset(("Records", "hits"))
_MAX_WRAPPING = 4  # `[ { "response": [ { "Event": ...` is as deep as exports go


class Found(NamedTuple):
    """A decoded record and the characters of the document that hold it."""

    start: int
    end: int
    record: object


class NotJson(ValueError):
    """Raised inside this module where the document stops being JSON; `position` counts characters."""

    def __init__(self, position: int) -> None:
        super().__init__(f"no JSON at character {position}")
        self.position = position


def read_document(intake: Intake) -> Iterator[Item]:
    """Yield the text of a document in chunks, then its records as events."""
    raw: list[str] = []
    kept = start = bad = 0
    wanted = intake.events
    for block in read_blocks(intake):
        shown = unescape_block(block)
        yield make_chunk(intake.part, start, shown)
        start += len(shown.text)
        bad += block.bad
        if wanted:
            raw.append(block.text)
            kept += len(block.text)
            if kept > intake.limits.json_document_bytes:
                raw, wanted = [], False
                message = f"a JSON document of more than {intake.limits.json_document_bytes} characters is read as text"
                yield intake.issue("json-size", message, way_out="write it as JSON lines, or raise the limit")
    if bad:
        yield bad_bytes(intake, bad)
    if wanted:
        yield from _events(intake, raw)


def _events(intake: Intake, raw: Sequence[str]) -> Iterator[Item]:
    text = "".join(raw)
    if is_deep(text, intake.limits.json_depth):
        message = f"JSON nested deeper than {intake.limits.json_depth} is read as text"
        yield intake.issue("json-depth", message, way_out="raise limits.json_depth in the policy")
        return
    done = shown = 0
    try:
        for found in find_records(text):
            shown += len(undo_escapes(text[done : found.start]))
            length = len(undo_escapes(text[found.start : found.end]))
            done = found.end
            if found.end - found.start <= intake.limits.record_bytes:
                record = parse_json(found.record)
                if record is not None:
                    yield record.at(intake.part, shown, shown + length)
            shown += length
    except NotJson as problem:
        line = text.count("\n", 0, problem.position) + 1
        message = "the JSON ends or breaks here; the records before it were read, the rest is text"
        yield intake.issue("json-broken", message, place=f"line {line}", way_out="check that it was copied completely")


def find_records(text: str) -> Iterator[Found]:
    """Find the records of a document, in order; raises `NotJson` where it stops being JSON.

    Several documents one after another are read too.
    """
    offset = _space(text, 0)
    while offset < len(text):
        offset = yield from _value(text, offset, 0)
        offset = _space(text, offset)


def _value(text: str, offset: int, depth: int, inside: str = "") -> Generator[Found, None, int]:
    first = text[offset : offset + 1]
    if first == "[" and depth <= _MAX_WRAPPING:
        return (yield from _array(text, offset, depth))
    if first == "{" and depth <= _MAX_WRAPPING and (key := _leads(text, offset, depth, inside)):
        return (yield from _container(text, offset, depth, key))
    record, end = _decode(text, offset)
    yield Found(offset, end, record)
    return end


def _array(text: str, offset: int, depth: int) -> Generator[Found, None, int]:
    offset = _space(text, offset + 1)
    while text[offset : offset + 1] != "]":
        if offset >= len(text):
            raise NotJson(offset)
        offset = yield from _value(text, offset, depth + 1)
        offset = _space(text, offset)
    return offset + 1


def _container(text: str, offset: int, depth: int, key: str) -> Generator[Found, None, int]:
    """Walk an object whose `key` holds the records; its other members are passed over."""
    offset = _space(text, offset + 1)
    while text[offset : offset + 1] != "}":
        name, offset = _decode(text, offset)
        colon = _COLON.match(text, offset)
        if colon is None or not isinstance(name, str):
            raise NotJson(offset)
        offset = colon.end()
        if name == key:
            offset = yield from _value(text, offset, depth + 1, name)
        else:
            _, offset = _decode(text, offset)
        offset = _space(text, offset)
    return offset + 1


def _leads(text: str, offset: int, depth: int, inside: str) -> str:
    """Return the key under which the object at `offset` keeps its records, empty when it is a record itself.

    Inside an array only the first key counts, and only one that no record has; `hits` stands inside `hits`.
    """
    names = RECORD_KEYS if depth == 0 else _ONLY_CONTAINERS
    position = _space(text, offset + 1)
    while text[position : position + 1] == '"':
        try:
            name, position = _decode(text, position)
            colon = _COLON.match(text, position)
            if colon is None or not isinstance(name, str):
                return ""
            position = colon.end()
            if name in names and _holds_records(text, position, name):
                return name
            if depth > 0 and inside != "hits":
                return ""
            _, position = _decode(text, position)
        except NotJson:
            return ""
        position = _space(text, position)
    return ""


def _holds_records(text: str, position: int, name: str) -> bool:
    opening = text[position : position + 1]
    if opening == "{":
        return name == "hits"
    inside = _space(text, position + 1)
    return opening == "[" and (
        text[inside : inside + 1] == "{" or (name == "Records" and text[inside : inside + 1] == "]")
    )


def _decode(text: str, offset: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, offset)
    except RecursionError as error:
        raise NotJson(offset) from error
    except ValueError as error:
        raise NotJson(error.pos if isinstance(error, json.JSONDecodeError) else offset) from error


def _space(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return offset if match is None else match.end()

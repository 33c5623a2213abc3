"""Lines: JSON escapes undone, and events where their text is."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.event import Event
from casemate.core.text import Chunk
from casemate.policy.limits import Limits
from casemate.stages.ingest.decode import decode_block
from casemate.stages.ingest.lines import LONG_LINE, read_lines, undo_escapes, unescape_block
from casemate.stages.ingest.reader import Intake, Item, Member
from casemate.stages.ingest.recognise import HEAD_BYTES, look
from casemate.stages.ingest.stream import Stream

from .parts import NARROW


def no_children(_parent: Intake, _member: Member) -> Iterator[Item]:
    return iter(())


def take_in(data: bytes, limits: Limits) -> Intake:
    stream = Stream(io.BytesIO(data), "x")
    return Intake(stream, 0, "x", limits, True, look(stream.peek(HEAD_BYTES), "x"), 0, no_children)


def parse(line: str, start: int, number: int) -> Event:
    return Event(0, start, start + len(line), "test", None, str(number), line)


@pytest.mark.parametrize("limits", [Limits(), NARROW])
def test_an_event_lies_on_its_line(limits: Limits) -> None:
    lines = [json.dumps({"path": f"C:\\Temp\\{i}.exe", "n": "\U0001f642ä\n" * (i % 9)}) for i in range(40)]
    items = list(read_lines(take_in("\r\n".join(lines).encode(), limits), parse, unescape=True))
    text = "".join(item.text for item in items if isinstance(item, Chunk))
    events = [item for item in items if isinstance(item, Event)]
    assert [event.message for event in events] == lines
    assert [text[event.start : event.end] for event in events] == [undo_escapes(line) for line in lines]
    assert [event.rule for event in events] == [str(number + 1) for number in range(40)]


def test_a_line_longer_than_a_record_stays_text() -> None:
    limits = replace(NARROW, record_bytes=100)
    items = list(read_lines(take_in(b"a" * 500 + b"\nshort\n", limits), parse))
    assert [item.message for item in items if isinstance(item, Event)] == ["short"]
    assert "".join(item.text for item in items if isinstance(item, Chunk)) == "a" * 500 + "\nshort\n"


ODDMENTS = st.sampled_from(
    [*'\\\n ax"né\0\1', "\\\\", "\\n", '\\"', "\\/", "\\u0041", "\\u000a", "\\ud83d\\ude00", "\\ud83d", "\\x"]
)


@given(st.lists(ODDMENTS, max_size=40).map("".join), st.sampled_from(["utf-8", "utf-16-le", "latin-1"]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_undone_escapes_lead_back_to_their_bytes(text: str, encoding: str, long: bool) -> None:
    text += " " * LONG_LINE if long else ""
    data = text.encode(encoding)
    block = unescape_block(decode_block(data, encoding, 0, 1))
    assert block.text == undo_escapes(text)
    offset = byte = 0
    for run in block.runs:
        raw = data[byte : byte + run.size].decode(encoding)
        assert run.byte == byte
        assert run.line == 1 + data[:byte].decode(encoding).count("\n")
        assert block.text[offset : offset + run.length] == (raw if run.verbatim else undo_escapes(raw))
        offset += run.length
        byte += run.size
    assert (offset, byte) == (len(block.text), len(data))


@given(st.text(max_size=100).filter(lambda text: text.isprintable()))
@settings(max_examples=100, deadline=None)
def test_escapes_are_undone_as_json_undoes_them(text: str) -> None:
    assert undo_escapes(json.dumps(text)[1:-1]) == text

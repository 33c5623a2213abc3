"""JSON as it comes in files: which layout, where each record stands, and what damage costs."""

import contextlib
import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.event import Event
from casemate.core.evidence import Opened
from casemate.core.issue import Issue
from casemate.core.text import Chunk, locate
from casemate.policy.limits import Limits
from casemate.stages.ingest import Source, read
from casemate.stages.ingest.json_document import NotJson, find_records

CALL = {
    "eventVersion": "1.08",
    "eventTime": "2023-07-10T12:11:15Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser",
    "userAgent": 'C:\\Windows "é" \u2713',
}
ALERT = {"timestamp": "2024-05-01T10:00:00Z", "rule": {"level": 5, "id": "1"}, "full_log": "a\\b\nc", "location": "x"}


class Read:
    """Everything that reading some bytes gave."""

    def __init__(self, data: bytes, limits: Limits | None = None, *, events: bool = True) -> None:
        items = list(read(Source("x", lambda: io.BytesIO(data)), limits, events=events))
        self.format = next(item.format for item in items if isinstance(item, Opened))
        self.chunks = [item for item in items if isinstance(item, Chunk)]
        self.text = "".join(chunk.text for chunk in self.chunks)
        self.events = [item for item in items if isinstance(item, Event)]
        self.codes = [item.code for item in items if isinstance(item, Issue)]

    def shown(self) -> Iterator[str]:
        return (self.text[event.start : event.end] for event in self.events)


def written(value: object, **how: object) -> bytes:
    return json.dumps(value, **how).encode()  # type: ignore[arg-type]  # the keywords of json.dumps


@pytest.mark.parametrize(
    ("data", "format_name", "count"),
    [
        (written({"Records": [CALL, CALL]}), "cloudtrail", 2),
        (written({"x": 1, "Records": [CALL, CALL]}, indent=2), "cloudtrail", 2),
        (written([CALL, CALL, CALL]), "cloudtrail", 3),
        (written(CALL, indent=1), "cloudtrail", 1),
        (written({"took": 1, "hits": {"total": 2, "hits": [{"_source": ALERT}, {"_source": ALERT}]}}), "wazuh", 2),
        (written(ALERT) + b"\n" + written(ALERT) + b"\n", "wazuh", 2),
        (written(ALERT), "wazuh", 1),
        (b"\n\n" + written(ALERT) + b"\n\n" + written(CALL), "wazuh", 2),
        (written({"a": 1}), "json-lines", 0),
        (written({"a": {"b": [1]}}, indent=2), "json", 0),
        (written({"response": [{"Event": {"info": "x", "Attribute": [], "date": "2020-01-01"}}]}), "misp", 1),
        (b"[error] no JSON at all, said [client 1.2.3.4]", "text", 0),
        (b"{ not json", "text", 0),
    ],
)
def test_layouts_and_families(data: bytes, format_name: str, count: int) -> None:
    done = Read(data)
    assert (done.format, len(done.events)) == (format_name, count)


@pytest.mark.parametrize("indent", [None, 2])
def test_escapes_are_undone_and_every_record_leads_back_to_its_bytes(indent: int | None) -> None:
    data = written({"Records": [CALL, ALERT, CALL]}, indent=indent)
    done = Read(data, Limits(chunk_chars=256))
    assert 'C:\\Windows "é" \u2713' in done.text
    assert [event.kind for event in done.events] == ["cloudtrail", "wazuh", "cloudtrail"]
    for event in done.events:
        assert done.text[event.start] == "{"
        assert done.text[event.end - 1] == "}"
        chunk = next(chunk for chunk in done.chunks if chunk.start <= event.start < chunk.start + len(chunk.text))
        place = locate(chunk, event.start, event.start + 1)
        assert b"{" in data[place.byte : place.byte_end]
        if indent:
            assert place.line == done.text.count("\n", 0, event.start) + 1 - (event is done.events[2])


def test_lines_lead_back_too() -> None:
    data = written(ALERT) + b"\n" + written(CALL) + b"\nplain C:\\new line\n"
    done = Read(data)
    first, second = done.shown()
    assert first.startswith('{"timestamp"')
    assert second.startswith('{"eventVersion"')
    assert second.endswith('"}')


def test_a_line_of_another_log_between_records_is_read_as_that() -> None:
    done = Read(written(ALERT) + b"\nMay  2 10:00:00 h sshd[1]: Invalid user x from 203.0.113.9\n" + written(ALERT))
    assert [event.kind for event in done.events] == ["wazuh", "sshd", "wazuh"]


def test_a_truncated_document_keeps_the_records_before_the_break() -> None:
    data = written({"Records": [CALL, CALL, CALL]})[:-40]
    done = Read(data)
    assert (len(done.events), done.codes) == (2, ["json-broken"])
    assert "CreateUser" in done.text


def test_a_broken_line_is_said_and_stays_text() -> None:
    done = Read(written(ALERT) + b'\n{"rule": \n' + written(ALERT))
    assert (len(done.events), done.codes) == (2, ["json-broken"])
    assert '{"rule": ' in done.text


def test_deep_json_is_text_and_said() -> None:
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    done = Read(written(ALERT) + b"\n" + deep + b"\n")
    assert (len(done.events), done.codes) == (1, ["json-depth"])
    lone = Read(b"[" * 100_000 + b"]" * 100_000)
    assert lone.events == []
    assert len(lone.text) == 200_000


def test_a_document_over_the_limit_is_text_and_said() -> None:
    done = Read(written({"Records": [CALL] * 20}), Limits(json_document_bytes=1000))
    assert (done.events, done.codes) == ([], ["json-size"])
    assert done.text.count("CreateUser") == 20


def test_a_record_over_the_limit_is_text() -> None:
    big = {**ALERT, "full_log": "x" * 5000}
    done = Read(written(ALERT) + b"\n" + written(big) + b"\n" + written(ALERT), Limits(record_bytes=1000))
    assert len(done.events) == 2
    assert "x" * 5000 in done.text


def test_nobody_asking_for_events_gets_none() -> None:
    data = written({"Records": [CALL] * 3})
    assert Read(data, events=False).events == []
    assert Read(data, events=False).text == Read(data).text


def test_the_well_known_key_inside_a_record_is_no_container() -> None:
    text = json.dumps([{"events": [{"a": 1}], "b": 2}])
    assert [found.record for found in find_records(text)] == [{"events": [{"a": 1}], "b": 2}]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9), min_size=1, max_size=3), max_size=4))
def test_every_record_of_an_array_is_found_where_it_stands(records: list[dict[str, str]]) -> None:
    text = json.dumps(records)
    found = list(find_records(text))
    assert [json.loads(text[one.start : one.end]) for one in found] == records


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='{}[]",:\\ au01\n', max_size=60))
def test_no_text_makes_the_walk_raise_anything_else(text: str) -> None:
    with contextlib.suppress(NotJson):
        for found in find_records(text):
            assert 0 <= found.start <= found.end <= len(text)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_any_damage_to_a_file_keeps_its_text_whole(noise: bytes, lines: bool) -> None:
    data = written(ALERT) + b"\n" if lines else written({"Records": [CALL, CALL]}, indent=1)
    middle = len(data) // 2
    done = Read(data[:middle] + noise + data[middle:])
    for chunk in done.chunks:
        assert sum(piece.length for piece in chunk.pieces) == len(chunk.text)
    assert all(0 <= event.start < event.end <= len(done.text) for event in done.events)

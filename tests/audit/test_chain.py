import io
import json
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.audit import GENESIS, event_line, export_chain, link, read_event, verify_chain, verify_lines
from casemate.core.audit import AuditEvent
from casemate.core.digest import canonical_json, digest_bytes

from .chains import START, chain_of, chains


def test_digest_is_sha256_of_everything_else_the_line_says() -> None:
    (event,) = chain_of([("ada", "case-saved", "c1", (("sha256", "ab"),))])
    said = json.loads(event_line(event))
    digest = said.pop("digest")
    assert digest == event.digest == digest_bytes(canonical_json(said))
    assert said["previous"] == "0" * 64
    assert said["time"] == "2026-01-02T03:04:06.000000Z"


def test_equal_instants_give_equal_links_whatever_the_time_zone() -> None:
    east = START.astimezone(timezone(timedelta(hours=9)))
    assert link(GENESIS, 1, START, "a", "b", "c", ()) == link(GENESIS, 1, east, "a", "b", "c", ())


def test_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        link(GENESIS, 1, datetime(2026, 1, 1), "a", "b", "c", ())  # noqa: DTZ001 - that is the point


def test_half_surrogates_become_replacement_characters() -> None:
    event = link(GENESIS, 1, START, "a", "read", "bad\udc80name", (("f", "\ud800"),))
    assert event.subject == "bad\ufffdname"
    assert event_line(event).encode("utf-8")
    assert verify_chain([event]) == ()


@settings(max_examples=60)
@given(chains)
def test_lines_lead_back_to_their_events_and_verify(events: list[AuditEvent]) -> None:
    lines = [event_line(event) for event in events]
    assert [read_event(line) for line in lines] == events
    assert verify_lines(lines) == ()
    assert verify_chain(events) == ()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        '{"number":1}',
        '{"action":"b","actor":"a","body":[],"digest":"d","number":true,"previous":"p","subject":"s","time":"2026-01-02T03:04:05.000000Z"}',
        '{"action":"b","actor":7,"body":[],"digest":"d","number":1,"previous":"p","subject":"s","time":"2026-01-02T03:04:05.000000Z"}',
        '{"action":"b","actor":"a","body":[],"digest":"d","number":1,"previous":"p","subject":"s","time":"2026-01-02T03:04:05.000000"}',
        '{"action":"b","actor":"a","body":[],"digest":"d","number":1,"previous":"p","subject":"s","time":"0001-01-01T00:00:00.000000+23:00"}',
    ],
)
def test_what_is_no_event_is_no_event(line: str) -> None:
    with pytest.raises(ValueError, match=r"no audit event|Expecting|time zone"):
        read_event(line)


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert event_line(read_event(text)) == text


def test_a_doubled_key_that_shows_readers_something_else_is_no_event() -> None:
    (event,) = chain_of([("ada", "case-saved", "c1", ())])
    line = event_line(event)
    doubled = line.replace('"actor":"ada"', '"actor":"eve","actor":"ada"')
    with pytest.raises(ValueError, match="canonical"):
        read_event(doubled)


def test_export_holds_one_line_an_event_and_a_closing_line() -> None:
    events = chain_of([("a", "b", "c", ()), ("d", "e", "f", ())])
    out = io.BytesIO()
    assert export_chain(events, [], out) == 2
    lines = out.getvalue().decode().splitlines()
    assert lines[:2] == [event_line(event) for event in events]
    assert json.loads(lines[2]) == {"checkpoints": 0, "events": 2, "format": "casemate-audit-1"}

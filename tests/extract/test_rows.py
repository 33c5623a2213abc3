"""Rows of JSON: they read back as what was written, whatever is in the evidence."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.observable import Sighting
from casemate.core.text import Chunk, Piece
from casemate.stages.extract.rows import lines_of, rows_jsonl
from casemate.stages.extract.scanner import Scanner

texts = st.text(max_size=20)
sightings = st.builds(
    Sighting,
    st.sampled_from(["url", "file"]),
    texts,
    texts,
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.sampled_from(["", "MD5"]),
    st.lists(st.sampled_from(["base64", "gzip"]), max_size=2).map(tuple),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(sightings, max_size=5), texts)
def test_rows_read_back(found, source):
    rows = rows_jsonl(found, source, lambda offset: offset + 1).decode("utf-8").split("\n")
    assert rows.pop() == ""
    for one, row in zip(found, map(json.loads, rows), strict=True):
        expected = {
            "type": one.type,
            "value": one.value,
            "raw": one.raw,
            "source": source,
            "start": one.start,
            "end": one.end,
            "line": one.start + 1,
        }
        expected |= {"hash": one.hash} if one.hash else {}
        expected |= {"layers": list(one.layers)} if one.layers else {}
        assert row == expected


def test_nothing_is_no_row():
    assert rows_jsonl([], "x", lambda offset: 1) == b""


def test_lone_surrogates_do_not_stop_the_rows():
    assert b'"raw":"' in rows_jsonl([Sighting("url", "a", "\udcff", 0, 1)], "x", lambda offset: 1)


def test_lines_are_those_received():
    text = "a\n1.2.3.4\n\n5.6.7.8 9.9.9.9\n"
    chunk = Chunk(0, 100, text, (Piece(100, len(text), 0, len(text), 7),))
    line_of = lines_of(chunk)
    assert [line_of(one.start) for one in Scanner().scan(text, 100)] == [8, 10, 10]
    assert line_of(100) == 7  # asked again for an earlier one


def test_lines_of_made_text_are_those_of_their_piece():
    chunk = Chunk(0, 0, "a\nb\nc", (Piece(0, 2, 0, 9, 3, verbatim=False), Piece(2, 3, 9, 3, 8)))
    line_of = lines_of(chunk)
    assert [line_of(0), line_of(2), line_of(4)] == [3, 8, 9]

"""Plain text in every encoding: the text, the pieces, the places."""

import io
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.text import locate
from casemate.policy.limits import Limits
from casemate.stages.ingest import Source, read

from .parts import NARROW, check_verbatim, read_bytes

PROSE = "Das Gerät «web-01» war am Netz.\nЗагрузка с http://a.example/path\n日本語の行 and 🙂 too\n" * 4


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (PROSE.encode(), "utf-8"),
        (b"\xef\xbb\xbf" + PROSE.encode(), "utf-8"),
        (b"\xff\xfe" + PROSE.encode("utf-16-le"), "utf-16-le"),
        (b"\xfe\xff" + PROSE.encode("utf-16-be"), "utf-16-be"),
    ],
)
@pytest.mark.parametrize("limits", [Limits(), NARROW])
def test_prose_comes_out_as_it_was_written(data: bytes, encoding: str, limits: Limits) -> None:
    reading = read_bytes(data, limits)
    part = reading.parts[0]
    assert part.text == PROSE
    assert {piece.encoding for chunk in part.chunks for piece in chunk.pieces} == {encoding}
    assert not reading.issues
    check_verbatim(part, data)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_recognised(encoding: str) -> None:
    text = "New process C:\\Windows\\System32\\cmd.exe /c whoami\r\nsecond line, ümlaut\r\n"
    assert read_bytes(text.encode(encoding)).parts[0].text == text


def test_latin_1_and_windows_1252_are_recognised() -> None:
    assert read_bytes("Zugriff für Müller über Straße\n".encode("latin-1")).parts[0].text.startswith("Zugriff für")
    assert read_bytes("the “quoted” — word…\n".encode("cp1252")).parts[0].text == "the “quoted” — word…\n"


def test_bytes_that_are_no_utf8_become_replacement_characters_and_are_counted() -> None:
    data = b"one \xff\xfe two\nthree \x80 four \xc3\xa9 and \xe2\x82\xac \xe2\x82\xac\n"
    reading = read_bytes(data)
    assert reading.parts[0].text == "one \ufffd\ufffd two\nthree \ufffd four é and € €\n"
    assert [issue.message for issue in reading.issues] == ["3 bytes are no valid utf-8; each is shown as U+FFFD"]
    check_verbatim(reading.parts[0], data)


def test_a_place_is_the_line_and_the_bytes_received() -> None:
    data = "erste Zeile ä\nzweite \xff Zeile\ndritte: 198.51.100.7 ü\n".encode("latin-1").replace(b"\xff", b"y")
    text = data.decode("latin-1")
    chunk = read_bytes(data).parts[0].chunks[0]
    start = text.index("198.51.100.7")
    place = locate(chunk, start, start + 12)
    assert place.line == 3
    assert data[place.byte : place.byte_end] == b"198.51.100.7"


def test_nul_bytes_in_a_log_stay_and_hide_nothing() -> None:
    data = b"Jan 1 before the crash\n" * 20 + b"\0" * 60 + b"Jan 1 after the crash\n" * 20
    part = read_bytes(data).parts[0]
    assert part.text == data.decode()


def test_an_empty_input_says_so() -> None:
    reading = read_bytes(b"")
    assert reading.codes == {"empty"}
    assert (reading.parts[0].closed.size, reading.parts[0].closed.length) == (0, 0)


def test_a_chunk_ends_at_a_line_end_or_in_a_long_line_at_a_space() -> None:
    part = read_bytes(b"short\n" * 50, NARROW).parts[0]
    assert all(chunk.text.endswith("\n") for chunk in part.chunks)
    part = read_bytes(b"http://a.example/long word,next " * 50, NARROW).parts[0]
    assert all(chunk.text.endswith(" ") for chunk in part.chunks[:-1])
    part = read_bytes("ü".encode() * 500, NARROW).parts[0]
    assert part.text == "ü" * 500


def test_reading_stops_at_the_size_limit_and_says_so() -> None:
    limits = Limits(source_bytes=3_000_000)
    reading = read_bytes(b"line of a log\n" * 300_000, limits)
    assert reading.codes == {"source-bytes"}
    assert not reading.parts[0].closed.complete


def test_a_source_that_breaks_off_keeps_what_came() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if not data:
                raise OSError(5, "Input/output error")
            return data

    items = list(read(Source("disk", partial(Failing, b"kept\n"))))
    assert [item.text for item in items if hasattr(item, "text")] == ["kept\n"]
    assert [item.code for item in items if hasattr(item, "code")] == ["unreadable"]


@given(st.binary(max_size=700))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read(data: bytes) -> None:
    for part in read_bytes(data, NARROW).parts.values():
        if part.opened.part == 0 and part.opened.format in {"text", "strings"}:
            check_verbatim(part, data)


@given(st.text(max_size=400), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"]))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read_and_every_span_leads_back(text: str, encoding: str) -> None:
    data = text.encode(encoding, "replace")
    part = read_bytes(data, NARROW).parts[0]
    if part.opened.format != "text":
        return
    check_verbatim(part, data)
    for chunk in part.chunks:
        for offset in range(len(chunk.text)):
            place = locate(chunk, chunk.start + offset, chunk.start + offset + 1)
            assert place.byte < place.byte_end <= len(data)

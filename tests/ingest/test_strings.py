"""Bytes that are no text: the strings in them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.text import locate

from .parts import check_verbatim, read_bytes

NOISE = bytes(range(128, 256)) + bytes(8)


def test_strings_in_ascii_and_utf16_come_out_with_their_offsets() -> None:
    data = NOISE + b"http://c2.example/gate" + NOISE + "C:\\Users\\Public\\a.exe".encode("utf-16-le") + NOISE + b"abc"
    part = read_bytes(data).parts[0]
    assert part.opened.format == "strings"
    assert part.text == "http://c2.example/gate\nC:\\Users\\Public\\a.exe\n"
    start = part.text.index("Public")
    place = locate(part.chunks[0], start, start + 6)
    assert data[place.byte : place.byte_end].decode("utf-16-le") == "Public"
    assert place.note == f"byte {data.index('C:'.encode('utf-16-le'))}"
    check_verbatim(part, data)


def test_a_string_across_blocks_is_whole() -> None:
    data = NOISE * 7710 + b"x" * 3 + b"http://a.example/path" + NOISE
    assert len(data) > 1 << 20
    for shift in range(0, 40, 3):
        assert "http://a.example/path" in read_bytes(data[shift:]).parts[0].text


@given(
    st.lists(st.binary(min_size=1, max_size=20) | st.text("ab/.", min_size=5, max_size=30).map(str.encode), max_size=30)
)
@settings(max_examples=60, deadline=None)
def test_any_binary_is_read(pieces: list[bytes]) -> None:
    data = NOISE * 4 + b"".join(pieces)
    check_verbatim(read_bytes(data).parts[0], data)

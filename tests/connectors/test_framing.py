"""Whatever a sender sends, and in whatever pieces, frames come out the same, bounded and complete."""

from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.connectors.framing import Frames, one_line

MESSAGES = [
    b"<34>1 2026-01-02T03:04:05Z host app 1 ID - text",  # RFC 5424
    b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed",  # RFC 3164
    b"no priority at all",
    b"2026-01-02 10:00:00 a line that begins with digits",
]


def counted(message: bytes) -> bytes:
    return b"%d %s" % (len(message), message)


def test_both_kinds_of_frames_in_one_stream():
    frames = Frames(1000)
    lines = b"two\nlines"
    stream = counted(MESSAGES[0]) + counted(b"<1>" + lines) + MESSAGES[1] + b"\r\n\n" + MESSAGES[3] + b"\n" + b"<2>last"
    found = frames.feed(stream)
    assert found == [MESSAGES[0], b"<1>" + lines, MESSAGES[1] + b"\r", MESSAGES[3]]
    assert frames.end() == [b"<2>last"]
    assert frames.cut == 0
    assert [one_line(found[1]), one_line(found[2])] == [b"<1>two#012lines", MESSAGES[1]]


def test_long_messages_are_cut_and_the_next_one_is_whole():
    for stream in (
        counted(b"<1>" + b"x" * 500) + MESSAGES[0] + b"\n",
        b"<1>" + b"x" * 500 + b"\n" + MESSAGES[0] + b"\n",
    ):
        frames = Frames(100)
        assert frames.feed(stream) == [b"<1>" + b"x" * 97, MESSAGES[0]]
        assert frames.cut == 1


def test_a_lying_count_ends_with_the_connection():
    frames = Frames(100)
    assert frames.feed(b"9999999 <1>short") == []
    assert frames.end() == [b"<1>short"]
    assert frames.feed(b"99999999999 <1>a line\n") == [b"99999999999 <1>a line"]


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(MESSAGES), st.booleans()), max_size=8),
    st.lists(st.integers(1, 60), min_size=1, max_size=8),
)
def test_the_pieces_that_arrive_make_no_difference(sent: list[tuple[bytes, bool]], sizes: list[int]):
    stream = b"".join(
        counted(message) if octets and message.startswith(b"<") else message + b"\n" for message, octets in sent
    )
    frames = Frames(1000)
    found, at, turn = [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += frames.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found + frames.end() == [message for message, _ in sent]


@settings(max_examples=200)
@given(
    st.lists(
        st.binary(max_size=80) | st.sampled_from([b"40 <", b"9", b" ", b"<", b"\n", b"\0", b"12 <3>"]), max_size=30
    )
)
def test_noise_neither_breaks_nor_swells(pieces: list[bytes]):
    frames = Frames(50)
    found: list[bytes] = []
    for piece in pieces:
        found += frames.feed(piece)
        assert len(frames._buffer) <= 50 + 80 + 10
    found += frames.end()
    assert all(0 < len(message) <= 50 for message in found)
    assert sum(map(len, found)) <= sum(map(len, pieces))
    assert all(set(one_line(message)).isdisjoint(b"\n\r\0") for message in found)

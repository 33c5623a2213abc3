"""EVTX: records from bytes to lines, and what damage of every kind costs."""

import io
import os
import signal
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.event import Event
from casemate.core.evidence import Closed, Opened
from casemate.core.issue import Issue
from casemate.core.text import Chunk, locate
from casemate.stages.ingest import Source, evtx, read
from casemate.stages.ingest.evtx import CHUNK_BYTES, CHUNK_MAGIC, MAGIC, Decoder, find_records, render
from casemate.stages.ingest.evtx_worker import make_header

EVENT = (
    '{"Event":{"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Security-Auditing"}},"EventID":4625,'
    '"Channel":"Security","Computer":"DC1","Level":0,'
    '"TimeCreated":{"#attributes":{"SystemTime":"2021-01-02T03:04:05Z"}}},'
    '"EventData":{"TargetUserName":"eve","IpAddress":"203.0.113.9",'
    '"CommandLine":"a\\r\\n\\tb C:\\\\x","Data":["p","q"]}}}'
)


class Read:
    """Everything that reading some bytes gave."""

    def __init__(self, data: bytes, *, events: bool = True) -> None:
        items = list(read(Source("x", lambda: io.BytesIO(data)), events=events))
        self.format = next(item.format for item in items if isinstance(item, Opened))
        self.chunks = [item for item in items if isinstance(item, Chunk)]
        self.text = "".join(chunk.text for chunk in self.chunks)
        self.events = [item for item in items if isinstance(item, Event)]
        self.codes = [item.code for item in items if isinstance(item, Issue)]
        self.complete = next(item.complete for item in items if isinstance(item, Closed))


@pytest.fixture(scope="session")
def sample(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give a real file of several chunks."""
    import tarfile

    with tarfile.open(shared_data / "logs" / "evtx_to_mitre_cc0.tar.gz") as archive:
        members = [member for member in archive if member.name.endswith(".evtx")]
        member = max(members, key=lambda member: (member.size < 1_200_000, member.size))
        extracted = archive.extractfile(member)
        assert extracted is not None
        return extracted.read()


def test_an_event_becomes_one_line_of_names_and_values() -> None:
    line, record = render(EVENT)
    assert line == (
        "TimeCreated: 2021-01-02T03:04:05Z | Provider: Microsoft-Windows-Security-Auditing | EventID: 4625 | "
        "Channel: Security | Computer: DC1 | Level: 0 | TargetUserName: eve | IpAddress: 203.0.113.9 | "
        "CommandLine: a b C:\\x | Data: p, q\n"
    )
    assert record is not None
    assert record.rule == "4625 account failed to log on"
    assert render(EVENT, wanted=False) == (line, None)


@pytest.mark.parametrize("odd", ["", "{", "[]", '{"Event": 1}', '{"Event":{"System":{}}}', "null"])
def test_odd_events_are_lines_all_the_same(odd: str) -> None:
    line, _ = render(odd)
    assert line.endswith("\n")


def test_the_records_of_a_chunk_are_found_by_their_sizes() -> None:
    chunk = bytearray(CHUNK_BYTES)
    struct.pack_into("<I", chunk, 48, 512 + 56)
    for number, offset, size in ((7, 512, 24), (8, 536, 32), (9, 568, 24)):
        struct.pack_into("<4sIQ", chunk, offset, b"**\0\0", size, number)
    assert find_records(bytes(chunk), 4096) == {7: (4608, 24), 8: (4632, 32)}  # what lies behind is older
    struct.pack_into("<I", chunk, 516, 0)
    assert find_records(bytes(chunk), 0) == {}


def test_a_file_without_a_chunk_is_an_issue() -> None:
    done = Read(MAGIC + bytes(100))
    assert (done.format, done.events, done.codes, done.complete) == ("evtx", [], ["evtx-empty"], False)


def test_garbage_in_a_chunk_is_an_issue() -> None:
    done = Read(make_header() + CHUNK_MAGIC + os.urandom(CHUNK_BYTES - 8) + os.urandom(500))
    assert done.events == []
    assert set(done.codes) == {"evtx-damaged"}
    assert not done.complete


def test_a_decoder_that_is_killed_is_started_again() -> None:
    with Decoder() as decoder:
        decoder.decode(CHUNK_MAGIC + bytes(CHUNK_BYTES - 8))
        process = decoder._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        answer = decoder.decode(CHUNK_MAGIC + bytes(CHUNK_BYTES - 8))
        assert answer.problem == "the decoder died over it"
        assert decoder.decode(CHUNK_MAGIC + bytes(CHUNK_BYTES - 8)).problem != answer.problem


@pytest.mark.data
def test_a_real_file_leads_back_to_its_records(sample: bytes) -> None:
    done = Read(sample)
    assert (done.format, done.codes, done.complete) == ("evtx", [], True)
    assert done.text.count("\n") == len(done.events) > 50
    for chunk in done.chunks:
        for piece in chunk.pieces:
            place = locate(chunk, piece.start, piece.start + 1)
            assert sample[place.byte : place.byte + 4] == b"**\0\0"
            assert struct.unpack_from("<I", sample, place.byte + 4)[0] == place.byte_end - place.byte
            assert place.note == f"record {struct.unpack_from('<Q', sample, place.byte + 8)[0]}"
    assert Read(sample, events=False).events == []


@pytest.mark.data
def test_a_truncated_file_gives_the_records_before_the_end(sample: bytes) -> None:
    whole = Read(sample)
    cut = Read(sample[: 4096 + CHUNK_BYTES + 20_000])
    assert 0 < len(cut.events) < len(whole.events)
    assert "evtx-damaged" in cut.codes
    assert whole.text.startswith(cut.text[:1000])


@pytest.mark.data
def test_a_file_that_lost_its_header_is_read(sample: bytes) -> None:
    assert len(Read(sample[4096:]).events) == len(Read(sample).events)


@pytest.mark.data
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, CHUNK_BYTES - 1), st.binary(min_size=1, max_size=16)), min_size=1, max_size=30)
)
def test_flipped_bytes_never_raise(sample: bytes, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(sample[: 4096 + CHUNK_BYTES])
    for offset, change in changes:
        data[4096 + offset : 4096 + offset + len(change)] = change
    done = Read(bytes(data))
    assert done.text.count("\n") == len(done.text.splitlines())


def test_the_room_keeps_at_most_one_idle_decoder() -> None:
    with Decoder() as one, Decoder() as two:
        one.decode(bytes(16))
        two.decode(bytes(16))
    assert len(evtx._IDLE) <= 1

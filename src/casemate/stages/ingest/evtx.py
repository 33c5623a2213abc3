"""Windows EVTX files: chunk by chunk, each record one line of readable text that leads back to the record's bytes.

The file is read as a stream of 64 KiB chunks, and each is decoded alone, so one damaged chunk costs only itself and
memory stays bounded. The native decoder runs in a process of its own (`evtx_worker`). Source of the layout: [MS-EVEN6]
and libyal's "Windows XML Event Log (EVTX)".
"""

import atexit
import contextlib
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import orjson

from casemate.core.event import Event
from casemate.core.issue import Issue, Severity
from casemate.stages.ingest import windows_event
from casemate.stages.ingest.decode import Block, Run, make_chunk
from casemate.stages.ingest.reader import Head, Intake, Item, Reader
from casemate.stages.ingest.record import Record
from casemate.stages.ingest.values import text_of

MAGIC = b"ElfFile\0"
CHUNK_MAGIC = b"ElfChnk\0"
CHUNK_BYTES = 65536
FILE_HEADER_BYTES = 4096
_FIRST_RECORD = 512
_FREE_SPACE = 48  # where a chunk says how far its records reach
_RECORD_MAGIC = b"\x2a\x2a\0\0"
_WORKER = Path(__file__).with_name("evtx_worker.py")
_MAX_DEATHS = 5
_IDLE: list[subprocess.Popen[bytes]] = []
_SYSTEM = ("EventID", "Channel", "Computer", "Level", "EventRecordID")


class Place(NamedTuple):
    """Where a record stands: its first byte, counted from the beginning of the file, and its size."""

    byte: int
    size: int


class Answer(NamedTuple):
    """What the decoder made of one chunk: (record id, JSON text) pairs, and what went wrong, if anything."""

    records: Sequence[tuple[int, str]]
    problem: str


class Decoder:
    """The decoding process of one file: taken from the idle ones or started, and started again when it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None and error is None and not _IDLE:
            _IDLE.append(process)  # a folder of small files would spend its time on starting processes
        elif process is not None:
            _stop(process)

    def decode(self, chunk: bytes) -> Answer:
        """Decode one chunk; a decoder that dies over it is an answer without records."""
        if self._deaths >= _MAX_DEATHS:
            return Answer((), "the decoder has died too often in this file")
        if self._process is None:
            try:
                self._process = _IDLE.pop() if _IDLE else _start()
            except OSError as error:
                return Answer((), f"the decoder could not be started: {error.strerror}")
        line = _ask(self._process, chunk)
        if not line.endswith(b"\n"):
            self._deaths += 1
            process, self._process = self._process, None
            _stop(process)
            return Answer((), "the decoder died over it")
        said = orjson.loads(line)
        return Answer([(number, text) for number, text in said["records"]], said["problem"])


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own file, no argument from evidence
        [sys.executable, "-I", str(_WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _ask(process: subprocess.Popen[bytes], chunk: bytes) -> bytes:
    if process.stdin is None or process.stdout is None:
        return b""
    try:
        process.stdin.write(struct.pack("<I", len(chunk)) + chunk)
        process.stdin.flush()
        return process.stdout.readline()
    except OSError:  # it died before it had read the chunk
        return b""


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was still to be written has nowhere to go
            if pipe is not None:
                pipe.close()
    process.wait()


@atexit.register
def _stop_idle() -> None:
    while _IDLE:
        _stop(_IDLE.pop())


def find_records(chunk: bytes, byte: int) -> dict[int, Place]:
    """Walk the records of a chunk that stands at `byte` by their sizes; gives the place of each record id."""
    found: dict[int, Place] = {}
    free = struct.unpack_from("<I", chunk, _FREE_SPACE)[0] if len(chunk) >= _FIRST_RECORD else 0
    end = min(free, len(chunk)) if free > _FIRST_RECORD else len(chunk)  # behind it lie remains of older records
    offset = _FIRST_RECORD
    while offset + 16 <= end and chunk[offset : offset + 4] == _RECORD_MAGIC:
        size, number = struct.unpack_from("<IQ", chunk, offset + 4)
        if size < 24 or offset + size > end:
            break
        found.setdefault(number, Place(byte + offset, size))
        offset += size
    return found


def render(text: str, *, wanted: bool = True) -> tuple[str, Record | None]:
    """Turn one event, as the decoder's JSON, into a line `Name: value | ...` and its record; odd text stays text."""
    try:
        event = orjson.loads(text)
    except ValueError:
        return f"{_one_line(text)}\n", None
    if not isinstance(event, dict) or not windows_event.matches(event):
        return f"{_one_line(text)}\n", None
    inner = event["Event"]
    system = inner["System"]
    named: list[tuple[str, str]] = []
    for name in ("TimeCreated", "Provider"):
        node = system.get(name)
        values = node.get("#attributes") if isinstance(node, dict) else None
        if isinstance(values, dict):
            named.append((name, text_of(values.get("SystemTime") or values.get("Name"))))
    for name in _SYSTEM:
        value = system.get(name)
        named.append((name, _whole(value.get("#text") if isinstance(value, dict) else value)))
    named.extend((name, _whole(value)) for name, value in windows_event.data_of(inner).items())
    line = " | ".join(f"{name}: {value}" for name, value in named if value)
    return f"{_one_line(line)}\n", windows_event.parse_record(event) if wanted else None


def _whole(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(_whole(item) for item in value)
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return text_of(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _matches(head: Head) -> bool:
    return head.data.startswith((MAGIC, CHUNK_MAGIC))


def _chunks(intake: Intake) -> Iterator[tuple[int, bytes]]:
    """Yield the chunks with the byte at which each stands; a file that lost its header begins with a chunk."""
    byte = 0
    if intake.head.data.startswith(MAGIC):
        size = struct.unpack_from("<H", intake.head.data.ljust(48, b"\0"), 40)[0]
        byte = max(size, FILE_HEADER_BYTES)
        intake.stream.read(byte)
    while chunk := intake.stream.read(CHUNK_BYTES):
        if byte >= intake.limits.evtx_bytes:
            intake.complete = False
            return
        yield byte, chunk
        byte += len(chunk)


def _read(intake: Intake) -> Iterator[Item]:
    text = _Text(intake)
    seen = False
    with Decoder() as decoder:
        for byte, chunk in _chunks(intake):
            if not chunk.startswith(CHUNK_MAGIC):
                if chunk.strip(b"\0"):
                    yield _problem(intake, byte, "no chunk of event records stands here; passed over")
                continue
            seen = True
            if len(chunk) < CHUNK_BYTES:
                yield _problem(intake, byte, "the file ends inside this chunk")
            answer = decoder.decode(chunk.ljust(CHUNK_BYTES, b"\0"))
            places = find_records(chunk, byte)
            yield from text.add(answer.records, places, Place(byte, len(chunk)))
            lost = len(places.keys() - {number for number, _ in answer.records})
            if answer.problem or lost:
                reason = answer.problem or "the decoder passed over them"
                yield _problem(intake, byte, f"{lost} of {len(places)} records were not read: {reason}")
    if not seen:
        intake.complete = False
        yield intake.issue("evtx-empty", "it holds no chunk of event records", severity=Severity.ERROR)


class _Text:
    """The normalised text of one file as it grows: a line per record."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._start = 0
        self._line = 1

    def add(self, records: Sequence[tuple[int, str]], places: dict[int, Place], whole: Place) -> Iterator[Item]:
        """Yield the text of these records in chunks of bounded size, each followed by its events."""
        lines: list[str] = []
        runs: list[Run] = []
        events: list[Event] = []
        size = 0
        for number, text in records:
            line, record = render(text, wanted=self._intake.events)
            place = places.get(number, whole)
            runs.append(Run(len(line), place.byte, place.size, self._line, verbatim=False, note=f"record {number}"))
            lines.append(line)
            if record is not None:
                begin = self._start + size
                events.append(record.at(self._intake.part, begin, begin + len(line) - 1))
            size += len(line)
            self._line += 1
            if size >= self._intake.limits.chunk_chars:
                yield from self._flush(lines, runs, events, size)
                lines, runs, events, size = [], [], [], 0
        if lines:
            yield from self._flush(lines, runs, events, size)

    def _flush(self, lines: list[str], runs: list[Run], events: list[Event], size: int) -> Iterator[Item]:
        yield make_chunk(self._intake.part, self._start, Block("".join(lines), tuple(runs)))
        self._start += size
        yield from events


def _problem(intake: Intake, byte: int, message: str) -> Issue:
    intake.complete = False
    way_out = "export the log again, or recover it with a forensic tool; what could be read is here"
    return intake.issue("evtx-damaged", message, place=f"byte {byte}", way_out=way_out)


EVTX = Reader("evtx", _matches, _read)

"""Any other bytes as printable strings, ASCII and UTF-16LE, one on a line, each with its offset."""

import re
from collections.abc import Iterator

from casemate.core.text import Chunk
from casemate.stages.ingest.decode import Block, Run, make_chunk
from casemate.stages.ingest.reader import Head, Intake, Item, Reader
from casemate.stages.ingest.stream import BLOCK_BYTES

SHORTEST = 5  # characters of a string worth keeping
LONGEST = 4096  # characters of one string; a longer run goes on in the next, on a line of its own
KINDS = bytes(b"a"[0] if byte == 9 or 0x20 <= byte < 0x7F else min(byte, 1) for byte in range(256))
STRINGS = re.compile(rb"a{%d,%d}|(?:a\0){%d,%d}" % ((SHORTEST, LONGEST) * 2))  # over kinds: literals match fastest
OVERLAP = 2 * LONGEST  # bytes kept back at the end of a block: a string may go on


def _matches(_head: Head) -> bool:
    return True


def _read(intake: Intake) -> Iterator[Item]:
    """Yield the strings of a part; lines count the strings, because bytes without text have no lines."""
    start = 0
    line = 1
    carry = b""
    at = 0
    while True:
        fresh = intake.stream.read(BLOCK_BYTES)
        data = carry + fresh
        if not data:
            return
        last = len(fresh) < BLOCK_BYTES
        stop = len(data) if last else len(data) - OVERLAP
        parts: list[str] = []
        runs: list[Run] = []
        done = 0
        for match in STRINGS.finditer(data.translate(KINDS)):
            if match.start() >= stop:
                break
            _add(data[match.start() : match.end()], at + match.start(), line, parts, runs)
            line += 1
            done = match.end()
        done = max(done, stop)
        if parts:
            chunk: Chunk = make_chunk(intake.part, start, Block("".join(parts), tuple(runs)))
            yield chunk
            start += len(chunk.text)
        carry = data[done:]
        at += done
        if last:
            return


def _add(found: bytes, byte: int, line: int, parts: list[str], runs: list[Run]) -> None:
    encoding = "utf-16-le" if found[1:2] == b"\0" else "utf-8"
    text = found.decode(encoding)
    note = f"byte {byte}"
    parts.append(text + "\n")
    runs.append(Run(len(text), byte, len(found), line, encoding=encoding, note=note))
    runs.append(Run(1, byte + len(found), 0, line, verbatim=False, encoding=encoding, note=note))


STRINGS_READER = Reader("strings", _matches, _read)

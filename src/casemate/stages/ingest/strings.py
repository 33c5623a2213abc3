"""Any other bytes as printable strings, ASCII and UTF-16LE, one on a line, each with its offset."""

import re
from collections.abc import Iterator

from casemate.core.text import Chunk
from casemate.stages.ingest.decode import Block, Run, make_chunk
from casemate.stages.ingest.reader import Head, Intake, Item, Reader
from casemate.stages.ingest.stream import BLOCK_BYTES

SHORTEST = 5  # characters of a string worth keeping
LONGEST = 4096  # characters of one string; a longer run goes on in the next, on a line of its own
STRINGS = re.compile(rb"[\t\x20-\x7e]{%d,%d}|(?:[\t\x20-\x7e]\0){%d,%d}" % ((SHORTEST, LONGEST) * 2))
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
        for match in STRINGS.finditer(data):
            if match.start() >= stop:
                break
            _add(match, at, line, parts, runs)
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


def _add(match: re.Match[bytes], at: int, line: int, parts: list[str], runs: list[Run]) -> None:
    found = match.group()
    wide = found[1:2] == b"\0"
    encoding = "utf-16-le" if wide else "utf-8"
    text = found.decode(encoding)
    byte = at + match.start()
    note = f"byte {byte}"
    parts.append(text + "\n")
    runs.append(Run(len(text), byte, len(found), line, encoding=encoding, note=note))
    runs.append(Run(1, byte + len(found), 0, line, verbatim=False, encoding=encoding, note=note))


STRINGS_READER = Reader("strings", _matches, _read)

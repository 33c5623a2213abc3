"""Sightings as lines of JSON, as `casemate extract --format jsonl` writes them; made for millions."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Final

from casemate.core.observable import Sighting
from casemate.core.plain import json_escaped
from casemate.core.text import Chunk

_SURROGATES: Final = "surrogatepass"


def _string(text: str) -> str:
    return json_escaped(encode_basestring(text))


def _write_head(kind: str, value: str, raw: str, hash_name: str) -> str:
    text = f'{{"type":"{kind}","value":{_string(value)},"raw":{_string(raw)}'
    return f'{text},"hash":"{hash_name}"' if hash_name else text


_remembered_head = lru_cache(maxsize=32768)(_write_head)


def rows_jsonl(sightings: Iterable[Sighting], source: str, line_of: Callable[[int], int]) -> bytes:
    """Write one JSON object a line for each sighting: type, value, raw, (hash,) source, start, end, line(, layers).

    `line_of` gives the line (from 1) of an offset; it is asked in the order of the sightings. UTF-8, ends with a line
    feed unless there is nothing to write.
    """
    middle = f',"source":{_string(source)},"start":'
    remembered, plain = _remembered_head, _write_head
    lines: list[str] = []
    append = lines.append
    for kind, value, raw, start, end, hash_name, layers in sightings:
        tail = ""
        if layers:
            tail = ',"layers":[' + ",".join(map(_string, layers)) + "]"
        head = remembered if len(raw) < 128 else plain  # long ones are rarely repeated, and would fill the memory
        append(f'{head(kind, value, raw, hash_name)}{middle}{start},"end":{end},"line":{line_of(start)}{tail}}}\n')
    return "".join(lines).encode("utf-8", _SURROGATES)


def lines_of(chunk: Chunk) -> Callable[[int], int]:
    """Make a function that gives the line received (from 1) of an offset in the chunk.

    It counts on from the offset asked before, so asking in ascending order costs one pass over the text. Text that was
    made rather than decoded (a PDF page, a JSON string) has the line of the piece it came from.
    """
    count, base, pieces = chunk.text.count, chunk.start, chunk.pieces
    line, last, until = 1, 0, -1
    verbatim = True

    def line_of(offset: int) -> int:
        nonlocal line, last, until, verbatim
        at = offset - base
        if not last <= at < until:  # another piece, or one asked before
            piece = pieces[max(bisect_right(pieces, offset, key=_start_of) - 1, 0)]
            line, last, verbatim = piece.line, piece.start - base, piece.verbatim
            until = last + piece.length
        if verbatim:
            line += count("\n", last, at)
            last = at
        return line

    return line_of


_start_of = attrgetter("start")

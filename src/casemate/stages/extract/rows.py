"""Sightings as lines of JSON, as `casemate extract --format jsonl` writes them; made for millions."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final

from casemate.core.observable import Sighting
from casemate.core.text import Chunk, locate

_SURROGATES: Final = "surrogatepass"


def _write_head(kind: str, value: str, raw: str, hash_name: str) -> str:
    text = f'{{"type":"{kind}","value":{encode_basestring(value)},"raw":{encode_basestring(raw)}'
    return f'{text},"hash":"{hash_name}"' if hash_name else text


_remembered_head = lru_cache(maxsize=32768)(_write_head)


def rows_jsonl(sightings: Iterable[Sighting], source: str, line_of: Callable[[int], int]) -> bytes:
    """Write one JSON object a line for each sighting: type, value, raw, (hash,) source, start, end, line(, layers).

    `line_of` gives the line (from 1) of an offset; it is asked in the order of the sightings. UTF-8, ends with a line
    feed unless there is nothing to write.
    """
    middle = f',"source":{encode_basestring(source)},"start":'
    remembered, plain = _remembered_head, _write_head
    lines: list[str] = []
    append = lines.append
    for kind, value, raw, start, end, hash_name, layers in sightings:
        tail = ""
        if layers:
            tail = ',"layers":[' + ",".join(map(encode_basestring, layers)) + "]"
        head = remembered if len(raw) < 128 else plain  # long ones are rarely repeated, and would fill the memory
        append(f'{head(kind, value, raw, hash_name)}{middle}{start},"end":{end},"line":{line_of(start)}{tail}}}\n')
    return "".join(lines).encode("utf-8", _SURROGATES)


def lines_of(chunk: Chunk) -> Callable[[int], int]:
    """Make a function that gives the line received (from 1) of an offset in the chunk.

    It counts on from the offset asked before, so asking in ascending order costs one pass over the text. Text that was
    made rather than decoded (a PDF page, a JSON string) has the line of the piece it came from.
    """
    if len(chunk.pieces) != 1 or not chunk.pieces[0].verbatim:
        return lambda offset: locate(chunk, offset, offset).line
    count, base = chunk.text.count, chunk.start
    line, last = chunk.pieces[0].line, 0

    def line_of(offset: int) -> int:
        nonlocal line, last
        at = offset - base
        if at >= last:
            line += count("\n", last, at)
        else:
            line -= count("\n", at, last)
        last = at
        return line

    return line_of

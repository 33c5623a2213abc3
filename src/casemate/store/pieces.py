"""The way back from text to bytes, as the column of a chunk keeps it."""

from collections.abc import Sequence

import orjson

from casemate.core.text import Piece


def pieces_to_json(pieces: Sequence[Piece]) -> bytes:
    """Write pieces that follow each other without a gap, so that `start` need not be said.

    A row is [length, byte, size, line] and, where they are not the usual, verbatim, encoding and note.
    """
    rows: list[list[object]] = []
    for piece in pieces:
        row: list[object] = [piece.length, piece.byte, piece.size, piece.line]
        if not piece.verbatim or piece.encoding != "utf-8" or piece.note:
            row += [piece.verbatim, piece.encoding, piece.note]
        rows.append(row)
    return orjson.dumps(rows)


def pieces_from_json(data: bytes, start: int) -> tuple[Piece, ...]:
    """Read pieces back, the first of which begins at character `start`."""
    pieces = []
    for row in orjson.loads(data):
        pieces.append(Piece(start, *row))
        start += row[0]
    return tuple(pieces)

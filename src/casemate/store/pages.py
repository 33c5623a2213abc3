"""Pages of long lists: a cursor says where the next page begins, so that no page is skipped while rows come in."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from casemate.core.errors import WrongUsage

T = TypeVar("T")


class UnknownCursor(WrongUsage):
    """A cursor that the list did not give."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list and the cursor of the next ones, empty at the end."""

    rows: tuple[T, ...]
    next: str


def write_cursor(values: Sequence[str | int]) -> str:
    """Write where a page ended."""
    return base64.urlsafe_b64encode(json.dumps(list(values), separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str, kinds: Sequence[type]) -> tuple[str | int, ...]:
    """Read where the page before ended; `UnknownCursor` for anything that `write_cursor` did not write."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        values = json.loads(raw)
    except (ValueError, binascii.Error, RecursionError):
        values = None
    fits = isinstance(values, list) and [type(value) for value in values] == list(kinds)
    if not fits or any(isinstance(value, int) and abs(value) > 2**62 for value in values):
        raise UnknownCursor("this cursor was not given by this list", way_out="begin again without a cursor")
    return tuple(values)

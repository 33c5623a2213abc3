"""What a reader hands back when it has confirmed an anchor."""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Found(NamedTuple):
    """An observable confirmed at `start..end` of the padded text; the first of a list covers the others."""

    type: str
    value: str
    start: int
    end: int
    hash: str = ""


Reader = Callable[[str, int], Sequence[Found]]
"""Confirms what stands at an anchor: the padded text and where the anchor ends (context left out), to what was found."""

NOTHING: tuple[Found, ...] = ()

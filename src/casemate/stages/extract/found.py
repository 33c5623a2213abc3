"""What a reader hands back when it has confirmed an anchor."""

from collections.abc import Callable

Found = tuple[str, str, int, int, str]
"""An observable confirmed in the padded text: type, value, start, end, hash name; a plain tuple, for speed."""

Reader = Callable[[str, int], "tuple[Found, ...]"]
"""Confirms what stands at an anchor: the padded text and where the anchor ends (context left out), to what was found.

The first of the tuple covers the others: nothing else is seen inside it, except the types in `scanner.SEEN_INSIDE`. A
first with an empty type says that nothing is there and that no later anchor need look at it again.
"""

NOTHING: tuple[Found, ...] = ()

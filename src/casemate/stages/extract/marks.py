"""Find many literal substrings at once: by hyperscan where it is installed and the text is long, else one by one.

Both ways give the same places; a test compares them.
"""

import importlib.util
import re
import threading
from typing import Any

_LONG = 16 * 1024  # shorter texts do not repay hyperscan's set-up,
_SHORT = 512  # but once it is made, they gain too
_AVAILABLE = importlib.util.find_spec("hyperscan") is not None


class MarkFinder:
    """A fixed list of lower-case ASCII marks to be found in byte texts; safe to share between threads."""

    __slots__ = ("_local", "marks")

    def __init__(self, marks: tuple[bytes, ...]) -> None:
        self.marks = tuple(dict.fromkeys(marks))
        self._local = threading.local()

    def places(self, lower: bytes) -> dict[bytes, list[int]]:
        """Give the offsets at which each mark begins in a lower-case text, ascending; marks not in it are left out."""
        made = getattr(self._local, "database", None) is not None
        if _AVAILABLE and len(lower) >= (_SHORT if made else _LONG):
            return self.places_by_hyperscan(lower)
        return self.places_by_find(lower)

    def places_by_find(self, lower: bytes) -> dict[bytes, list[int]]:
        """Do the same with the standard library alone."""
        found: dict[bytes, list[int]] = {}
        for mark in self.marks:
            at = lower.find(mark)
            while at >= 0:
                found.setdefault(mark, []).append(at)
                at = lower.find(mark, at + 1)
        return found

    def places_by_hyperscan(self, lower: bytes) -> dict[bytes, list[int]]:
        """Do the same in one pass of hyperscan."""
        ends: list[list[int]] = [[] for _ in self.marks]

        def keep(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            ends[number].append(end)

        self._database().scan(lower, match_event_handler=keep)
        return {
            mark: [end - len(mark) for end in places] for mark, places in zip(self.marks, ends, strict=True) if places
        }

    def _database(self) -> Any:
        database = getattr(self._local, "database", None)
        if database is None:
            import hyperscan

            database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            database.compile(
                expressions=[re.escape(mark) for mark in self.marks],
                ids=list(range(len(self.marks))),
                elements=len(self.marks),
                flags=[0] * len(self.marks),
            )
            self._local.database = database
        return database

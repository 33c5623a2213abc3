"""Read the pieces of the knowledge: which hold a term, which belong to an entry, what they say; and the ties."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from casemate.core.digest import Digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_CACHED = 4_000_000
"""Entries of postings that are kept in memory between questions, eight bytes each."""

_BATCH = 400  # values bound to one statement

_COUNT = "SELECT count(*) FROM piece"
_POSTINGS = "SELECT term, rarity, pieces, weights FROM posting WHERE term IN ({})"
_OWNED = "SELECT number, id, other FROM owner WHERE id IN ({})"
_PIECES = """
SELECT piece.number, piece.id, piece.other, piece.kind, piece.title, piece.text, release.digest
FROM piece JOIN release ON release.id = piece.release WHERE piece.number IN ({})
"""
_TIES = "SELECT id, relation, other FROM tie WHERE id IN ({0}) AND other IN ({0})"
_NAMES = """
SELECT name.folded, name.written, entry.id, entry.kind, name.rule FROM name JOIN entry ON entry.key = name.entry
WHERE name.folded IN ({}) AND entry.state = ''
"""

_NAMES_OF = """
SELECT DISTINCT name.written FROM name JOIN entry ON entry.key = name.entry WHERE entry.kind IN ({}) ORDER BY 1
"""

Rows = Callable[[str, Sequence[object]], list[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class Posting:
    """The pieces that hold a term, ascending, and the term's weight in each; `rarity` is its inverse frequency."""

    rarity: float
    pieces: "NDArray[np.uint32]"
    weights: "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Piece:
    """One paragraph of the knowledge; `other` is the second entry that it is about, or empty."""

    number: int
    id: str
    other: str
    kind: str
    title: str
    text: str
    release: Digest


@dataclass(frozen=True, slots=True)
class Named:
    """One entry that bears a name, and the rule by which the name may be recognised in prose (0: not at all)."""

    folded: str
    written: str
    id: str
    kind: str
    rule: int


class PieceIndex:
    """The pieces of an index that is open; shares its connection and its life."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known: dict[str, Posting | None] = {}
        self._held = 0

    @cached_property
    def size(self) -> int:
        """The number of pieces; they are numbered from 0."""
        return int(str(self._rows(_COUNT, ())[0][0]))

    def postings(self, terms: Iterable[str]) -> dict[str, Posting]:
        """Look terms up; those that no piece holds are left out."""
        import numpy as np

        wanted = list(dict.fromkeys(terms))
        missing = [term for term in wanted if term not in self._known and _storable(term)]
        if self._held > _MOST_CACHED or len(self._known) > _MOST_CACHED // 20:
            self._known.clear()
            self._held = 0
            missing = [term for term in wanted if _storable(term)]
        for term in missing:
            self._known[term] = None
        for found, rarity, pieces, weights in self._many(_POSTINGS, missing):
            numbers = np.frombuffer(_bytes(pieces), "<u4")
            self._held += numbers.size
            self._known[str(found)] = Posting(
                float(str(rarity)), numbers, np.frombuffer(_bytes(weights), "<f2").astype(np.float32)
            )
        return {term: posting for term in wanted if (posting := self._known.get(term)) is not None}

    def owned(self, ids: Iterable[str]) -> tuple[tuple[int, str, str], ...]:
        """Give the pieces that belong to any of the entries: number, the entry, and the second entry or nothing."""
        wanted = [id_ for id_ in dict.fromkeys(ids) if _storable(id_)]
        rows = self._many(_OWNED, wanted)
        return tuple((int(str(number)), str(id_), str(other)) for number, id_, other in rows)

    def read(self, numbers: Iterable[int]) -> dict[int, Piece]:
        """Read pieces by their numbers."""
        return {
            int(str(number)): Piece(
                int(str(number)), str(id_), str(other), str(kind), str(title), str(text), Digest(str(digest))
            )
            for number, id_, other, kind, title, text, digest in self._many(_PIECES, list(numbers))
        }

    def ties(self, ids: Iterable[str]) -> tuple[tuple[str, str, str], ...]:
        """Give every tie among the entries named: id, relation, other id."""
        wanted = [id_ for id_ in dict.fromkeys(ids) if _storable(id_)][: _BATCH // 2]
        rows = self._rows(_TIES.format(_marks(wanted)), (*wanted, *wanted)) if len(wanted) > 1 else []
        return tuple((str(id_), str(relation), str(other)) for id_, relation, other in rows)

    def named(self, folded: Iterable[str]) -> tuple[Named, ...]:
        """Give the entries in force that bear any of the folded names."""
        wanted = [name for name in dict.fromkeys(folded) if name and _storable(name)]
        return tuple(
            Named(str(name), str(written), str(id_), str(kind), int(str(rule)))
            for name, written, id_, kind, rule in self._many(_NAMES, wanted)
        )

    def _many(self, statement: str, values: Sequence[object]) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for start in range(0, len(values), _BATCH):
            part = values[start : start + _BATCH]
            rows += self._rows(statement.format(_marks(part)), part)
        return rows


def names_of(kinds: int) -> str:
    """Write the statement that lists the names of entries of so many kinds; the kinds themselves are bound."""
    return _NAMES_OF.format(", ".join("?" * kinds))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _storable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)

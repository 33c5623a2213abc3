"""Rank the passages of the knowledge for a question: nearness of terms, and whether they are about what it names."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import log
from typing import TYPE_CHECKING, Protocol

from casemate.knowledge import Piece, Posting
from casemate.knowledge.terms import PAIR, stem, terms_and_pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float32]

NEAREST = 40
QUESTION_WORDS = frozenset(
    stem(word) for word in files("casemate.stages.retrieve").joinpath("question_words.txt").read_text("utf-8").split()
)
"""What questions are made of whatever they are about; it counts `QUIET` times what other words count."""
QUIET = 0.3

OWN_FLOOR, OWN_GAIN, BOTH_GAIN = 0.06, 1.5, 2.0
"""What a passage gains by being about what the question names: a floor, a factor, and another if about two of them."""

_MOST_TERMS = 400


class Shelf(Protocol):
    """The passages of the knowledge and the index over them."""

    @property
    def size(self) -> int:
        """The number of passages."""
        ...

    def postings(self, terms: Iterable[str], /) -> Mapping[str, Posting]:
        """Look terms up."""
        ...

    def owned(self, ids: Iterable[str], /) -> Sequence[tuple[int, str, str]]:
        """Give the passages that belong to any of the entries: number, id, other id."""
        ...

    def read(self, numbers: Iterable[int], /) -> Mapping[int, Piece]:
        """Read passages by their numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Vector:
    """A text as weighted terms, of unit length over the terms that the knowledge holds."""

    weights: Mapping[str, float]
    rarity: Mapping[str, float]

    @property
    def mass(self) -> float:
        """The sum of the rarities of its terms: how much the text says at all."""
        return sum(self.rarity.values())


def vector_of(text: str, shelf: Shelf, *, asks: bool = False) -> Vector:
    """Weigh the terms of a text as the index weighs those of a passage; if it asks, the words of asking count less."""
    counts = Counter(terms_and_pairs(text)[:_MOST_TERMS])
    held = shelf.postings(counts)
    rarity = {
        term: posting.rarity * (QUIET if asks and QUESTION_WORDS.issuperset(term.split(PAIR)) else 1.0)
        for term, posting in held.items()
    }
    raw = {term: (1 + log(counts[term])) * rare for term, rare in rarity.items()}
    length = sum(value * value for value in raw.values()) ** 0.5
    return Vector({term: value / length for term, value in raw.items()}, rarity)


def nearness(vector: Vector, shelf: Shelf) -> "Scores":
    """Give the cosine of a text with every passage."""
    import numpy as np

    scores = np.zeros(shelf.size, np.float32)
    for term, posting in shelf.postings(vector.weights).items():
        scores[posting.pieces] += np.float32(vector.weights[term]) * posting.weights
    return scores


def relevance(scores: "Scores", entities: Sequence[str], shelf: Shelf) -> "Scores":
    """Raise the scores of the passages about the entries that a question names; the most for those about two.

    The passages of the technique above a sub-technique are raised half as much.
    """
    import numpy as np

    above = {id_.partition(".")[0] for id_ in entities if "." in id_} - set(entities)
    gains = {id_.casefold(): 1.0 for id_ in entities} | {id_.casefold(): 0.5 for id_ in above}
    held = [
        (
            number,
            max(gains.get(id_.casefold(), 0.0), gains.get(other.casefold(), 0.0)),
            {id_.casefold(), other.casefold()} <= gains.keys(),
        )
        for number, id_, other in shelf.owned(gains)
    ]
    if not held:
        return scores
    raised = scores.copy()
    numbers = np.array([number for number, _, _ in held])
    gain = np.array([gain for _, gain, _ in held], np.float32)
    both = np.array([BOTH_GAIN if both else 1.0 for _, _, both in held], np.float32)
    raised[numbers] = np.maximum(
        raised[numbers], (scores[numbers] + OWN_FLOOR * gain) * (1 + (OWN_GAIN - 1) * gain) * both
    )
    return raised


def nearest(scores: "Scores", most: int = NEAREST) -> "NDArray[np.int64]":
    """Give the numbers of the passages with the highest scores above zero, the best first; of equal ones the first."""
    import numpy as np

    chosen = np.argpartition(-scores, most)[:most] if most < scores.size else np.arange(scores.size)
    chosen = chosen[np.lexsort((chosen, -scores[chosen]))]
    return chosen[scores[chosen] > 0]

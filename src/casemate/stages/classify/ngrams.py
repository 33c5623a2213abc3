"""A model over hashed words, word pairs and character n-grams: the first, fastest answer.

A text becomes the mean of the vectors of its n-grams, a head turns that into logits (the model of
Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification"). The table of vectors is int8
with one scale a row. Which row an n-gram has is its CRC-32, so no vocabulary is kept.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from casemate.stages.classify.weights import Weights

Floats = NDArray[np.float32]
BUCKETS = 1 << 17
MAX_WORDS = 400
_WORD = re.compile(r"[a-z0-9_]+|[^\sa-z0-9_]")
_DIGITS = re.compile(r"[0-9]")


@lru_cache(maxsize=1 << 16)
def _rows_of_word(word: str) -> tuple[int, ...]:
    """Return the rows of a word and of its 3- to 5-character n-grams."""
    rows = [crc32(b"w" + word.encode("utf-8", "surrogatepass")) % BUCKETS]
    if len(word) > 1:
        edged = f"<{word[:24]}>"
        for size in (3, 4, 5):
            rows += [crc32(edged[at : at + size].encode()) % BUCKETS for at in range(len(edged) - size + 1)]
    return tuple(rows)


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text, lower case, digits as 0, the first `MAX_WORDS`."""
    return _WORD.findall(_DIGITS.sub("0", text.lower()))[:MAX_WORDS]


def rows_of(words: Sequence[str]) -> list[int]:
    """Return the rows of the n-grams of a text (with repetitions)."""
    rows: list[int] = []
    for word in words:
        rows += _rows_of_word(word)
    rows += [crc32(f"{left} {right}".encode("utf-8", "surrogatepass")) % BUCKETS for left, right in pairwise(words)]
    return rows


class NgramModel:
    """The table of n-gram vectors, and the heads over their mean."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._table: NDArray[np.int8] = arrays["table"]
        self._scale: Floats = arrays["scale"].astype(np.float32)
        self._heads = {
            name.removesuffix(".weight"): (value.astype(np.float32), arrays[f"{name[:-7]}.bias"].astype(np.float32))
            for name, value in arrays.items()
            if name.endswith(".weight")
        }

    @classmethod
    def open(cls, weights: Weights, name: str = "ngrams.npz") -> "NgramModel":
        """Read the model from the checked weights."""
        return cls(weights.arrays(name))

    def mean(self, text: str) -> Floats:
        """Return the mean vector of a text; zero for one without a word."""
        rows = np.asarray(rows_of(words_of(text)), dtype=np.int64)
        if not len(rows):
            return np.zeros(self._table.shape[1], np.float32)
        result: Floats = self._scale[rows] @ self._table[rows].astype(np.float32) / np.float32(len(rows))
        return result

    def logits(self, head: str, vector: Floats, source: int = 0) -> Floats:
        """Return the logits of a head for a mean vector, as a labelling source has it: 0 is NVD, 1 the authorities."""
        weight, bias = self._heads[head]
        result: Floats = vector @ weight + bias[source]
        return result

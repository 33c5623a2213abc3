"""Hashed n-gram features of a text, and a sparse linear model over them that NumPy alone can ask."""

import re
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

HASH_BITS = 22
"""Features are numbered by their CRC-32, cut to so many bits."""

WORD_CHARACTERS = 32
"""A longer word is read as its beginning; so a megabyte without a space costs no more than a word."""

_WORD = re.compile(r"[^\W_]+|[_%$\\/.:@=-]", re.UNICODE)
_MASK = (1 << HASH_BITS) - 1

Features = tuple[NDArray[np.int64], NDArray[np.float32]]
"""The numbers of the features a text has, ascending, and the weight of each before idf."""


@lru_cache(maxsize=60_000)
def _pieces(word: str) -> tuple[int, ...]:
    """Return the numbers of the word's character 3-, 4- and 5-grams, its ends marked."""
    padded = f"<{word}>"
    grams = {padded[at : at + size] for size in (3, 4, 5) for at in range(len(padded) - size + 1)}
    return tuple(zlib.crc32(gram.encode("utf-8", "surrogatepass"), 7) & _MASK for gram in grams)


def words_of(text: str) -> list[str]:
    """Return the lower-case words and the marks that matter in paths, options and addresses."""
    return [word[:WORD_CHARACTERS] for word in _WORD.findall(text.lower())]


def features_of(text: str) -> Features:
    """Return the hashed words, pairs of words and character 3-5-grams of a text, in ascending order.

    A feature weighs 1 + ln(count); one that is both a word and a piece of one weighs as both.
    """
    words = words_of(text)
    grams = Counter(zlib.crc32(word.encode("utf-8", "surrogatepass")) & _MASK for word in words)
    grams.update(
        zlib.crc32(f"{one} {other}".encode("utf-8", "surrogatepass")) & _MASK for one, other in pairwise(words)
    )
    characters: Counter[int] = Counter()
    for word in words:
        if len(word) > 1:
            characters.update(_pieces(word))
    merged: dict[int, float] = {}
    for group in (grams, characters):
        for number, count in group.items():
            merged[number] = merged.get(number, 0.0) + 1.0 + (log(count) if count > 1 else 0.0)
    numbers = np.fromiter(merged, dtype=np.int64, count=len(merged))
    weights = np.fromiter(merged.values(), dtype=np.float32, count=len(merged))
    order = np.argsort(numbers)
    return numbers[order], weights[order]


@dataclass(frozen=True, slots=True)
class SparseLinear:
    """A linear model whose weights are mostly zero: for each known feature the classes it speaks for or against.

    Args:
        numbers: of the known features, ascending (F).
        idf: of each (F).
        starts: where the weights of feature i begin and end in the two below (F + 1).
        classes: the class of each weight (N).
        weights: as int8 (N), to be multiplied by `scale` of their class.
        scale: of each class (C).
        bias: of each class (C).
    """

    numbers: NDArray[np.int32]
    idf: NDArray[np.float32]
    starts: NDArray[np.int32]
    classes: NDArray[np.uint16]
    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def of(cls, arrays: Any) -> "SparseLinear":
        """Return the model that a mapping of its arrays (an opened `.npz`) holds."""
        narrow = {"numbers": np.int32, "starts": np.int32, "classes": np.uint16, "weights": np.int8}
        names = ("numbers", "idf", "starts", "classes", "weights", "scale", "bias")
        return cls(*(np.asarray(arrays[name]).astype(narrow.get(name, np.float32)) for name in names))

    @classmethod
    def of_packed(cls, arrays: Any) -> "SparseLinear":
        """Return the model that the shipped arrays hold: numbers and starts as differences from one to the next."""
        starts = np.concatenate(([0], np.cumsum(arrays["starts"].astype(np.int64))))
        numbers = np.cumsum(arrays["numbers"].astype(np.int64))
        return cls.of({**arrays, "starts": starts, "numbers": numbers})

    def logits(self, text: str) -> NDArray[np.float32]:
        """Return the score of each class (C), the bias alone for a text without a known feature."""
        numbers, values = features_of(text)
        return self.logits_of(numbers, values)

    def logits_of(self, numbers: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the score of each class (C) for features in ascending order of their numbers."""
        places = np.searchsorted(self.numbers, numbers)
        places[places == len(self.numbers)] = 0
        known = self.numbers[places] == numbers
        places, values = places[known], values[known] * self.idf[places[known]]
        length = float(np.sqrt((values * values).sum()))
        if not length:
            return self.bias.copy()
        begins, ends = self.starts[places], self.starts[places + 1]
        sizes = ends - begins
        offsets = np.repeat(begins - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes) + np.arange(sizes.sum())
        shares = np.repeat(values / length, sizes) * self.weights[offsets]
        scores = np.bincount(self.classes[offsets], weights=shares, minlength=len(self.bias))
        return (scores * self.scale + self.bias).astype(np.float32)

    def coverage(self, text: str) -> float:
        """Return which share of the text's words (0 to 1) the model has met; of a foreign language it is small."""
        words = [word for word in words_of(text) if len(word) > 1]
        if not words:
            return 0.0
        numbers = np.fromiter(
            (zlib.crc32(word.encode("utf-8", "surrogatepass")) & _MASK for word in words), dtype=np.int64
        )
        places = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return float((self.numbers[places] == numbers).mean())

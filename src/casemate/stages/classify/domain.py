"""Whether a text is the description of a vulnerability at all.

The classes of a classifier share out all of the probability, whatever the text is. So before one is
asked, the text is looked at: its size, its characters, its words, and the odds of its words and pairs
of words (naive Bayes), with descriptions on one side and other prose, prompts and noise on the other.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np

from casemate.stages.classify.ngrams import Floats, words_of

MAX_CHARACTERS = 32_000
MIN_WORDS = 4
WORD_BITS = 1 << 20
ODDS_ROWS = 1 << 18
ODDS_SCALE = 25.0
_MAX_ODD = 0.1
_MIN_LATIN = 0.8


def bits_of(words: Sequence[str]) -> list[int]:
    """Return the places of words and of pairs of words in the table of odds."""
    pairs = [f"{left} {right}" for left, right in pairwise(words)]
    return [bit_of(word) % ODDS_ROWS for word in [*words, *pairs]]


def bit_of(word: str) -> int:
    """Return the place of a word in the set of known words."""
    return crc32(word.encode("utf-8", "surrogatepass")) % WORD_BITS


class Domain:
    """The doorkeeper of the specialists for vulnerability texts."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._known = np.unpackbits(arrays["words"])
        self._odds: Floats = arrays["odds"].astype(np.float32) / ODDS_SCALE
        self._min_known = float(arrays["min_known"])
        self._min_odds = float(arrays["min_odds"])

    def refuse(self, text: str, tidied: str) -> str:
        """Return why the text is no description by its look (a kebab-case code), or "" where it may be one."""
        if not tidied:
            return "empty-text"
        if len(text) > MAX_CHARACTERS:
            return "text-too-long"
        odd = sum(unicodedata.category(character) in _ODD for character in text[:2000])
        if odd > _MAX_ODD * min(len(text), 2000):
            return "binary-text"
        letters = [character for character in tidied[:2000] if character.isalpha()]
        if sum(character.isascii() for character in letters) < _MIN_LATIN * len(letters):
            return "unknown-language"
        words = [word for word in words_of(tidied) if word[0].isalnum()]
        if len(words) < MIN_WORDS:
            return "too-few-words"
        if self.known_share(words) < self._min_known:
            return "unknown-words"
        return ""

    def known_share(self, words: list[str]) -> float:
        """Return the share of the words that the training rows had."""
        return float(self._known[[bit_of(word) for word in words]].mean())

    def odds(self, text: str) -> float:
        """Return the mean log-odds of the words and pairs of words, of a vulnerability text against any other."""
        return float(self._odds[bits_of(words_of(text))].mean())

    def outside(self, text: str) -> bool:
        """Return whether the words are those of another kind of text."""
        return self.odds(text) < self._min_odds


_ODD = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "So"})

"""A text as the numbers of its word pieces, the way uncased BERT models are fed (Devlin et al. 2019, WordPiece).

Our own hundred lines instead of the `tokenizers` package, because that one brings a client for a model hub and its
network stack into an installation that must not talk to anybody (ADR 0010). The tests hold both to the same numbers.
Unlike there, `[SEP]` and its like in a text are plain characters: evidence cannot write the marks that frame it.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

UNKNOWN, OPENING, CLOSING = "[UNK]", "[CLS]", "[SEP]"
LONGEST_WORD = 100
"""Characters; a longer word is unknown as a whole."""

_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Blocks whose characters are words of their own."""

_ASCII_WORDS = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")


class WordPieces:
    """Splits texts by a vocabulary.

    Args:
        vocabulary: the pieces in the order of their numbers; `##` begins a piece that continues a word.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self.unknown = self._numbers[UNKNOWN]
        self._opening, self._closing = self._numbers[OPENING], self._numbers[CLOSING]
        self._longest = max(map(len, vocabulary))
        self._split = lru_cache(maxsize=50_000)(self._split_word)

    def encode(self, text: str, most: int) -> list[int]:
        """Return the numbers of a text, framed by the opening and the closing mark, at most `most` in all."""
        numbers = [self._opening]
        for word in words_of(text):
            numbers += self._split(word)
            if len(numbers) >= most:
                break
        return [*numbers[: most - 1], self._closing]

    def _split_word(self, word: str) -> tuple[int, ...]:
        """Return the pieces of a word, the longest that fits first; one unknown where a part fits none."""
        if len(word) > LONGEST_WORD:
            return (self.unknown,)
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                number = self._numbers.get(prefix + word[start:end])
                if number is not None:
                    break
            else:
                return (self.unknown,)
            pieces.append(number)
            start = end
        return tuple(pieces)


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text: lower case, accents off, controls dropped, each sign a word."""
    if text.isascii():
        return _ASCII_WORDS.findall("".join(map(_plain_ascii, text)) if not text.isprintable() else text.lower())
    spaced = "".join(map(_spaced, text))
    plain = "".join(sign for sign in unicodedata.normalize("NFD", spaced) if unicodedata.category(sign) != "Mn")
    words: list[str] = []
    for chunk in "".join(sign.lower() for sign in plain).split():
        words += _apart(chunk)
    return words


def _plain_ascii(sign: str) -> str:
    """Return a sign in lower case, white space as a space, a control character as nothing."""
    return sign.lower() if sign.isprintable() else " " if sign in "\t\n\r" else ""


def _spaced(sign: str) -> str:
    """Return a sign cleaned: controls dropped, white space as a space, an ideograph with space around it."""
    if sign in "\t\n\r":
        return " "
    category = unicodedata.category(sign)
    if sign == "\ufffd" or category in {"Cc", "Cf", "Co"}:
        return ""
    if category == "Zs" or sign.isspace():
        return " "
    point = ord(sign)
    return f" {sign} " if any(first <= point <= last for first, last in _IDEOGRAPHS) else sign


def _apart(chunk: str) -> list[str]:
    """Return the words of a text without white space, each sign of punctuation apart."""
    words, word = [], ""
    for sign in chunk:
        if _is_punctuation(sign):
            words += [word, sign] if word else [sign]
            word = ""
        else:
            word += sign
    return [*words, word] if word else words


@lru_cache(maxsize=4096)
def _is_punctuation(sign: str) -> bool:
    return not sign.isalnum() if sign.isascii() else unicodedata.category(sign)[0] == "P"

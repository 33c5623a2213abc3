"""The sentences and lines of a text, each with its place, and whether a specialist may be asked about one."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 600
"""Characters of one sentence; what has no end is cut there."""

_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9•*-])|\n\s*\n|\n(?=\s*(?:[^a-z\s]))")
_ODD = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "So"})


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, or a line that is none: its text, and where it begins and ends in the whole."""

    text: str
    start: int
    end: int


def split_units(text: str, most: int) -> Iterator[Unit]:
    """Yield at most `most` sentences and lines of a text, in order, without the white space around them."""
    start, given = 0, 0
    for found in (*_END.finditer(text), None):
        end = len(text) if found is None else found.start()
        for piece in range(start, end, LONGEST):
            held = text[piece : min(piece + LONGEST, end)]
            bare = held.strip()
            if bare:
                if given == most:
                    return
                begin = piece + held.index(bare[0])
                yield Unit(bare, begin, begin + len(bare))
                given += 1
        start = end if found is None else found.end()


def refuse_unit(text: str) -> str:
    """Return why no specialist for English prose and commands can read this (a kebab-case code), "" if it may."""
    letters = sum(character.isalpha() for character in text)
    if letters < 4:
        return "too-few-letters"
    odd = sum(unicodedata.category(character) in _ODD and character not in "\t\n\r" for character in text)
    if odd > 0.05 * len(text):
        return "binary-text"
    if sum(character.isascii() and character.isalpha() for character in text) < 0.8 * letters:
        return "unknown-language"
    if max(map(len, text.split())) > 0.7 * len(text) and len(text) > 80:
        return "no-words"
    return "too-few-words" if len(text.split()) < 2 else ""

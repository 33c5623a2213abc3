"""What the nearest passages say of one option: its words, its sentences, its values, its spelling."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from casemate.knowledge import Piece
from casemate.knowledge.terms import PAIR, stem, terms_of
from casemate.stages.retrieve.passages_index import NEAREST, Shelf, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_MOST_SENTENCES = 20  # of one passage
_SPELLED = 24
"""Sentences that are compared with an option letter by letter: those that say most of the question."""

_GRAM = 4
_TOLD = re.compile(r"^([A-Z][\w &-]{2,50}): (.+)\.$", re.MULTILINE)
_BRACKETED = re.compile(r"\s*\((?:[A-Z]+-?\d[\d.]*)\)|\b(?:[TGSMC]\d{4}(?:\.\d{3})?|TA\d{4}|DS\d{4})\s*:\s*")
_PARTED = re.compile(r"\s*(?:,|;|\band\b|&)\s*")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a near passage: its terms and those of its title, its words, how much of the question it says."""

    terms: frozenset[str]
    words: str
    force: float
    about: float


def cut_sentences(pieces: Sequence[Piece], force: "NDArray[np.float32]", asked: Vector) -> list[Sentence]:
    """Cut the nearest passages into sentences, the force of the best passage being 1."""
    theirs = {term: rare for term, rare in asked.rarity.items() if PAIR not in term}
    whole = sum(theirs.values()) + 2.0
    top = max((float(weight) for weight in force), default=1.0) or 1.0
    found = []
    for piece, weight in zip(pieces, force, strict=True):
        head = terms_of(piece.title)
        for part in _SENTENCE.split(piece.text)[:_MOST_SENTENCES]:
            if part:
                terms = frozenset(head + terms_of(part))
                about = sum(rare for term, rare in theirs.items() if term in terms) / whole
                found.append(Sentence(terms, plain(f"{piece.title} {part}"), float(weight) / top, about))
    return found


def plain(text: str) -> str:
    """Write a text as its words alone, in small letters with one blank around each, for looking phrases up."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def bare(option: str) -> str:
    """Write an option without the id beside its name and without the stop at its end."""
    return _BRACKETED.sub("", option).strip(" .;:") or option.strip(" .;:")


def best_sentence(vector: Vector, sentences: Iterable[Sentence]) -> float:
    """Give how well the best sentence says both the option and the question."""
    mine = {term: rare for term, rare in vector.rarity.items() if PAIR not in term}
    whole = sum(mine.values()) + 2.0
    best = 0.0
    for one in sentences:
        said = sum(rare for term, rare in mine.items() if term in one.terms) / whole
        if said > 0:
            best = max(best, said * (0.2 + one.about) * (0.3 + one.force))
    return best


def best_phrase(option: str, sentences: Iterable[Sentence]) -> float:
    """Give how much of the question the best sentence says that holds the option word for word."""
    phrase = plain(bare(option))
    if not phrase.strip():
        return 0.0
    return max(((0.2 + one.about) * (0.3 + one.force) for one in sentences if phrase in one.words), default=0.0)


def best_spelling(option: str, sentences: Sequence[Sentence]) -> float:
    """Give how well the best sentence spells the option, in runs of four letters, where stems differ."""
    mine = _grams(plain(bare(option)))
    if not mine:
        return 0.0
    chosen = sorted(sentences, key=lambda one: -one.about * (0.3 + one.force))[:_SPELLED]
    return max(
        (len(mine & _grams(one.words)) / len(mine) * (0.2 + one.about) * (0.3 + one.force) for one in chosen),
        default=0.0,
    )


def _grams(text: str) -> set[str]:
    return {text[place : place + _GRAM] for place in range(max(len(text) - _GRAM + 1, 0))}


def covered(
    vector: Vector, asked: Vector, top: "NDArray[np.int64]", ranked: "NDArray[np.float32]", shelf: Shelf
) -> tuple[float, float, float]:
    """Give how much of an option's terms the nearest passages hold: of all, of those not in the question, of pairs."""
    import numpy as np

    if not top.size:
        return 0.0, 0.0, 0.0
    places = np.sort(top[:NEAREST])
    force = (ranked[places] / ranked[top[0]]).astype(float)
    sums = {"all": [0.0, 0.0], "new": [0.0, 0.0], "pair": [0.0, 0.0]}
    for term, posting in shelf.postings(vector.weights).items():
        at = np.searchsorted(posting.pieces, places)
        held = (at < posting.pieces.size) & (posting.pieces[np.minimum(at, posting.pieces.size - 1)] == places)
        value = float(force[held].max()) if held.any() else 0.0
        kinds = ["pair"] if PAIR in term else ["all"] + (["new"] if term not in asked.weights else [])
        for kind in kinds:
            sums[kind][0] += posting.rarity * value
            sums[kind][1] += posting.rarity
    return tuple(part / (total + 2.0) for part, total in sums.values())  # type: ignore[return-value] # three of them


def containment(vector: Vector, shelf: Shelf) -> "NDArray[np.float32]":
    """Give how much of a text every passage says, by rarity and whatever its length (0 to 1)."""
    import numpy as np

    held = np.zeros(shelf.size, np.float32)
    for term, posting in shelf.postings(vector.weights).items():
        held[posting.pieces] += np.float32(vector.rarity[term])
    return held / np.float32(vector.mass + 2.0)


def shared(vector: Vector, asked: Vector) -> float:
    """Give how much of the option the question says itself."""
    return sum(rare for term, rare in vector.rarity.items() if term in asked.rarity) / (vector.mass + 2.0)


def unknown(option: str, vector: Vector) -> float:
    """Give the share of the option's terms that the knowledge does not hold."""
    terms = set(terms_of(option))
    return sum(term not in vector.rarity for term in terms) / len(terms) if terms else 1.0


def stands(option: str, texts: Sequence[str]) -> float:
    """Give how early among the nearest passages, each `plain`, the option stands word for word."""
    words = plain(bare(option))
    if not words.strip():
        return 0.0
    return next((1.0 / log(place + 2.72) for place, text in enumerate(texts) if words in text), 0.0)


Told = tuple[tuple[frozenset[str], frozenset[str]], ...]
"""Of what a question names: the stems of what is told (`Tactics`), and the values, in small letters without ids."""


def told_values(texts: Iterable[str]) -> Told:
    """Read the facts that the passages of an entry list: tactics, platforms, permissions, related entries, ..."""
    return tuple(
        (
            frozenset(stem(word) for word in _WORD.findall(label.casefold())),
            frozenset(plain(_BRACKETED.sub("", value)) for value in values.split(", ")),
        )
        for text in texts
        for label, values in _TOLD.findall(text)
    )


def listed(option: str, told: Told, asked: Vector) -> float:
    """Give how well the option agrees with the values listed of what the question names (0 to 1).

    An option of several values is compared as a set. A list whose label the question does not say counts half.
    """
    parts = {plain(part) for part in _PARTED.split(bare(option)) if plain(part).strip()} | {plain(bare(option))}
    best = 0.0
    for label, values in told:
        held = parts & values
        if held:
            wanted = max(len(parts) - (len(parts) > 1), 1)  # the whole option is one of the parts that were looked up
            score = 0.5 + 0.5 * min(len(held) / max(wanted, len(values) if wanted > 1 else 1), 1.0)
            best = max(best, score * (1.0 if label & asked.rarity.keys() else 0.5))
    return best

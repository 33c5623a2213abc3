"""The terms by which passages are indexed and questions asked: stems, whole identifiers, pairs of neighbours."""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

STOP_TERMS = frozenset(files("casemate.knowledge").joinpath("stop_terms.txt").read_text("utf-8").split())
"""Words that say nothing about what a passage or a question is about."""

PAIR = " "
LONGEST_TERM = 48

_TOKEN = re.compile(r"[^\W_]+(?:[._\-/\\][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
_VOWEL = re.compile(r"[aeiouy]")
_ENDINGS = ("ization", "isation", "ational", "ation", "ition", "ution", "ment", "ness", "ity")


def terms_of(text: str) -> list[str]:
    """List the single terms of a text in order, stop words left out; `T1059.001` gives its parts and itself."""
    return [term for term, _ in _terms(text)]


def terms_and_pairs(text: str) -> list[str]:
    """List the single terms and the pairs of neighbouring ones."""
    singles = []
    pairs = []
    before = ""
    for term, whole in _terms(text):
        singles.append(term)
        if whole:
            continue  # an identifier as a whole stands beside its parts, not between them
        if before:
            pairs.append(before + PAIR + term)
        before = term
    return singles + pairs


def _terms(text: str) -> Iterator[tuple[str, bool]]:
    for token in _TOKEN.findall(text.lower()):
        parts = _PART.findall(token)
        for part in parts:
            if part not in STOP_TERMS and len(part) <= LONGEST_TERM:
                yield stem(part), False
        if len(parts) > 1 and len(token) <= LONGEST_TERM:
            yield token, True


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """Cut the endings of English inflection and of the commonest derivations, so that `encrypting` meets `encryption`.

    A light stemmer in the spirit of J. B. Lovins (1968): one pass, the longest ending first, never below four letters.
    """
    if len(word) < 4 or not word.isalpha() or not word.isascii():
        return word
    word = _singular(word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)].rstrip("e")
    for ending in ("ing", "ed", "ion", "ly", "er", "or"):
        head = word[: -len(ending)]
        if word.endswith(ending) and len(head) >= 4 - (len(ending) == 3) and _VOWEL.search(head):
            word = head[:-1] if len(head) > 4 and head[-1] == head[-2] and head[-1] not in "lsz" else head
            break
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word.rstrip("e") if len(word) > 3 else word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word

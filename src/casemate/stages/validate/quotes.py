"""Find a quotation in the evidence that was shown to the model: exactly, or with white space and defanging folded."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from casemate.core.finding import Citation
from casemate.core.text import Span

SHORTEST_QUOTE = 8
"""Characters: a shorter quotation occurs by chance and carries nothing."""

_FOLDS = re.compile(
    r"(?P<space>\s+)|(?P<dot>[\[({]\s?(?:\.|dot)\s?[\])}])|(?P<at>[\[({]\s?(?:@|at)\s?[\])}])|(?P<colon>\[:\]|\[://\])"
    r"|(?P<scheme>\bh(?:xx|\*\*)p)|(?P<quote>[\u2018\u2019\u201c\u201d\"'`])|(?P<zero>[\u200b-\u200d\u2060\ufeff])",
    re.IGNORECASE,
)
_FOLDED = {"space": " ", "dot": ".", "at": "@", "scheme": "http", "quote": "'", "zero": ""}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A run of evidence text that the model was shown: `text` is what `span` selects; `line` is its first line."""

    span: Span
    text: str
    line: int


def fold(text: str) -> tuple[str, list[int], list[int]]:
    """Fold white space, quotation marks and defanging, and keep the way back.

    Gives the folded text in lower case, the offsets in it where a run begins, and the offset of the original at each.
    """
    out: list[str] = []
    begins: list[int] = []
    origins: list[int] = []
    length = position = 0
    for found in _FOLDS.finditer(text):
        if found.start() > position:
            begins.append(length)
            origins.append(position)
            piece = _lower(text[position : found.start()])
            out.append(piece)
            length += len(piece)
        kind = found.lastgroup or ""
        piece = found[0].strip("[]") if kind == "colon" else _FOLDED[kind]
        if piece:
            begins.append(length)
            origins.append(found.start())
            out.append(piece)
            length += len(piece)
        position = found.end()
    begins.append(length)
    origins.append(position)
    out.append(_lower(text[position:]))
    return "".join(out), begins, origins


def _lower(text: str) -> str:
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text  # a few letters grow when lowered; offsets matter more


def _origin(begins: list[int], origins: list[int], offset: int, *, end: bool, limit: int) -> int:
    """Lead an offset of the folded text back; the end of a folded run is the end of what it was folded from."""
    index = max(bisect_right(begins, offset - 1 if end else offset) - 1, 0)
    step = offset - begins[index]
    following = begins[index + 1] if index + 1 < len(begins) else None
    if end and following is not None and offset == following:
        return origins[index + 1]
    return min(origins[index] + step, limit)


def find_quote(quote: str, excerpts: Sequence[Excerpt]) -> Citation | None:
    """Find where a model's quotation stands in the evidence and cite what stands there, character for character.

    Looks for the exact words first, then with white space, quotation marks, letter case and defanging folded. The
    citation's quote is always the evidence's own text, never the model's. None when it is nowhere or too short.
    """
    wanted = quote.strip()
    if len(wanted) < SHORTEST_QUOTE:
        return None
    for excerpt in excerpts:
        at = excerpt.text.find(wanted)
        if at >= 0:
            return _cite(excerpt, at, at + len(wanted))
    folded = fold(wanted)[0].strip()
    if len(folded) < SHORTEST_QUOTE:
        return None
    for excerpt in excerpts:
        text, begins, origins = fold(excerpt.text)
        at = text.find(folded)
        if at >= 0:
            limit = len(excerpt.text)
            start = _origin(begins, origins, at, end=False, limit=limit)
            end = _origin(begins, origins, at + len(folded), end=True, limit=limit)
            return _cite(excerpt, start, end)
    return None


def _cite(excerpt: Excerpt, start: int, end: int) -> Citation:
    span = Span(excerpt.span.evidence, excerpt.span.start + start, excerpt.span.start + end)
    return Citation(span, excerpt.text[start:end], excerpt.line + excerpt.text.count("\n", 0, start))

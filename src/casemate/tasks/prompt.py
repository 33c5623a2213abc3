"""What every task shares in asking a language model: the token estimate, the request, the schema and the reading."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from casemate.core.issue import Issue, Severity
from casemate.stages.generate import Request, fence
from casemate.stages.validate import Excerpt

_PIECES = re.compile(r"[^\W\d_]+|\d|\S")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")


def estimate_tokens(text: str) -> int:
    """Estimate with care how many tokens a text costs: a digit or a sign one each, a word one for every three letters.

    Logs cost two or three times as many tokens a character as prose: SmolLM2 reads 18 lines of sshd as 991 tokens,
    which are estimated here as 1,026.
    """
    return sum((len(piece) + 2) // 3 for piece in _PIECES.findall(text))


def sentences_schema(most: int, text_chars: int = 160) -> Mapping[str, Any]:
    """Make the schema of an answer: one to `most` sentences, each with the quotation it rests on."""
    sentence = {
        "type": "object",
        "additionalProperties": False,
        "required": ["quote", "text"],
        "properties": {
            "quote": {"type": "string", "minLength": 8, "maxLength": 120},
            "text": {"type": "string", "minLength": 12, "maxLength": text_chars},
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["sentences"],
        "properties": {"sentences": {"type": "array", "minItems": 1, "maxItems": most, "items": sentence}},
    }


SENTENCES_SCHEMA = sentences_schema(5)

ITEMS = 20
"""The most items of an answer that are looked at, whatever the schema was."""


_TRIES = 200  # ends of an object at which a cut answer is tried


@dataclass(frozen=True, slots=True)
class Proposed:
    """One sentence as the model gave it: what it says, what it claims to quote, and what else the schema asked for."""

    text: str
    quote: str
    fields: tuple[tuple[str, str], ...] = ()


def build_request(
    instruction: str,
    schema: Mapping[str, Any],
    excerpts: Sequence[Excerpt],
    marker: str,
    *,
    seed: int,
    prompt_tokens: int,
    answer_tokens: int,
    seconds: float,
    given: str = "",
    question: str = "",
) -> tuple[Request, tuple[Excerpt, ...]]:
    """Fence as many excerpts as the token budget holds, in the order given; gives the request and what was shown.

    `given` are facts computed by code; they may hold evidence, so they stand inside the fence too, before the
    excerpts. `question` is the reader's own and stands between the static instruction and the fence, on one line.
    """
    asked = " ".join(question.split())
    budget = prompt_tokens - estimate_tokens(instruction) - estimate_tokens(asked) - estimate_tokens(given)
    shown: list[Excerpt] = []
    for excerpt in excerpts:
        cost = estimate_tokens(excerpt.text)
        if cost > budget:
            continue
        budget -= cost
        shown.append(excerpt)
    body = "\n".join((*((given,) if given else ()), *(excerpt.text for excerpt in shown)))
    evidence = fence(body, marker)
    request = Request(
        instruction,
        f"The question: {asked}\n\n{evidence}" if asked else evidence,
        schema,
        max_tokens=answer_tokens,
        temperature=0.0,
        seed=seed,
        seconds=seconds,
    )
    return request, tuple(shown)


def read_sentences(text: str, most: int = ITEMS) -> tuple[tuple[Proposed, ...], tuple[Issue, ...]]:
    """Read the model's JSON; whole sentences of an answer that was cut short are kept.

    Anything else than the schema asks for gives an issue and no sentence.
    """
    items = read_items(text, "sentences", most)
    proposed = tuple(
        Proposed(item["text"], item["quote"])
        for item in items
        if isinstance(item, dict) and isinstance(item.get("text"), str) and isinstance(item.get("quote"), str)
    )
    return proposed, () if len(proposed) == len(items) else (NOT_AS_ASKED,)


NOT_AS_ASKED = Issue(
    "answer-not-json",
    Severity.NOTE,
    "the model's answer is not what was asked for; what does not fit is not used",
    way_out="try another model",
)


def read_items(text: str, name: str, most: int = ITEMS) -> list[Any]:
    """Give the items of the one list, called `name`, of an answer; `[None]` when there is no such list."""
    value = _parse(text)
    items = value.get(name) if isinstance(value, dict) else None
    return items[:most] if isinstance(items, list) else [None]


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    cut = text.rfind("}")
    for _ in range(_TRIES):
        if cut <= 0:
            break
        try:
            return json.loads(text[: cut + 1] + "]}")
        except (ValueError, RecursionError):
            cut = text.rfind("}", 0, cut)
    return None


def cut_excerpt(excerpt: Excerpt, tokens: int) -> tuple[Excerpt, ...]:
    """Cut an excerpt into pieces of at most `tokens` each: at line ends, else at sentence ends, else at white space.

    A run of characters without any of these that costs more than `tokens` is left out: it is no text.
    """
    if estimate_tokens(excerpt.text) <= tokens:
        return (excerpt,)
    pieces: list[Excerpt] = []
    for start, end in _runs(excerpt.text, tokens):
        text = excerpt.text[start:end]
        if text.strip():
            span = replace(excerpt.span, start=excerpt.span.start + start, end=excerpt.span.start + end)
            pieces.append(Excerpt(span, text, excerpt.line + excerpt.text.count("\n", 0, start)))
    return tuple(pieces)


_BORDERS = (re.compile(r"\n+"), _SENTENCE_END, re.compile(r"\s+"))


def _runs(text: str, tokens: int) -> list[tuple[int, int]]:
    """Fit as many whole lines as possible into each run; a line that is too long alone is cut at finer borders."""
    runs: list[tuple[int, int]] = []
    held: list[int] = []  # begin, end and cost of the run being filled
    for start, end in _split(text, 0, len(text), tokens, 0):
        cost = estimate_tokens(text[start:end])
        if held and held[1] == start and held[2] + cost <= tokens:
            held = [held[0], end, held[2] + cost]
            continue
        if held:
            runs.append((held[0], held[1]))
        held = [start, end, cost]
    return [*runs, (held[0], held[1])] if held else runs


def _split(text: str, start: int, end: int, tokens: int, level: int) -> list[tuple[int, int]]:
    """Split a stretch of text into pieces that fit, at the coarsest border that does; what never fits is left out."""
    if estimate_tokens(text[start:end]) <= tokens:
        return [(start, end)]
    if level == len(_BORDERS):
        return []
    edges = [start, *(found.end() for found in _BORDERS[level].finditer(text, start, end)), end]
    return [
        piece
        for left, right in itertools.pairwise(edges)
        if left < right
        for piece in _split(text, left, right, tokens, level + 1)
    ]


def pack_excerpts(excerpts: Sequence[Excerpt], tokens: int) -> tuple[tuple[Excerpt, ...], ...]:
    """Fill batches of at most `tokens` with excerpts, in the order given; those that are too long are cut first."""
    batches: list[list[Excerpt]] = []
    left = 0
    for excerpt in excerpts:
        for piece in cut_excerpt(excerpt, tokens):
            cost = estimate_tokens(piece.text)
            if not batches or cost > left:
                batches.append([])
                left = tokens
            batches[-1].append(piece)
            left -= cost
    return tuple(map(tuple, batches))

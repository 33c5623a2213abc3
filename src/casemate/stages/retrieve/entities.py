"""Which entries of the knowledge a question and its options name, by id or by name."""

import re
from collections.abc import Sequence
from typing import Protocol

from casemate.knowledge import Named, fold_name

_ID = re.compile(
    r"\b(?:(?:T\d{4}(?:\.\d{3})?|[GSMC]\d{4}|(?:DS|TA|DC|AN|DET)\d{4}|AML\.[TM]\d{4}(?:\.\d{3})?)\b|(CWE|CAPEC)[\s_:-]{0,2}(\d{1,4})\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['’.\-_/][^\W_]+)*")
_MOST_WORDS = 9
_MOST_LOOKED_AT = 400
_LOWER_KINDS = frozenset(
    {
        "technique",
        "mitigation",
        "weakness",
        "weakness-category",
        "attack-pattern",
        "data-source",
        "data-component",
        "tactic",
    }
)
"""Kinds whose names of several words are often written in lower case."""

_PLAIN_NAMES = frozenset(
    {
        "malware",
        "tool",
        "software",
        "process",
        "command",
        "file",
        "script",
        "user",
        "group",
        "service",
        "audit",
        "image",
        "web",
        "network",
        "system",
        "application",
        "attack",
        "mobile",
        "enterprise",
        "windows",
        "linux",
        "android",
        "domain",
        "server",
        "data",
    }
)
"""Single words that are names of something but hardly ever meant so in a question."""


class Names(Protocol):
    """Where names are looked up."""

    def named(self, folded: Sequence[str], /) -> tuple[Named, ...]:
        """Give the entries in force that bear any of the folded names."""
        ...


def ids_in(text: str) -> tuple[str, ...]:
    """Give the public ids written in a text, in capitals, in order, each once."""
    found = (f"{match[1]}-{match[2]}" if match[1] else match[0] for match in _ID.finditer(text))
    return tuple(dict.fromkeys(id_.upper() for id_ in found))


def entities_in(texts: Sequence[str], names: Names) -> list[tuple[str, ...]]:
    """Give, for each text, the ids of the entries that it names, by id or by name, the longest name first taken.

    A name of one word counts only if it is written with a capital or a digit and may stand for itself in prose; one of
    several words counts in any case if techniques, mitigations, weaknesses and the like are named so.
    """
    windows = [_windows(text) for text in texts]
    wanted = dict.fromkeys(folded for spans in windows for folded in spans.values())
    known: dict[str, list[Named]] = {}
    for one in names.named(list(wanted)[:_MOST_LOOKED_AT]):
        known.setdefault(one.folded, []).append(one)
    return [_chosen(text, spans, known) for text, spans in zip(texts, windows, strict=True)]


def _windows(text: str) -> dict[tuple[int, int], str]:
    words = list(_WORD.finditer(text))[:120]
    spans = {}
    for first, word in enumerate(words):
        for last in range(first, min(first + _MOST_WORDS, len(words))):
            start, end = word.start(), words[last].end()
            if end - start > 120:
                break
            spans[start, end] = fold_name(text[start:end])
    return spans


def _chosen(text: str, spans: dict[tuple[int, int], str], known: dict[str, list[Named]]) -> tuple[str, ...]:
    found = list(ids_in(text))
    taken: list[tuple[int, int]] = []
    for (start, end), folded in sorted(spans.items(), key=lambda item: (item[0][0] - item[0][1], item[0][0])):
        entries = [one for one in known.get(folded, ()) if _counts(text[start:end], text, start, one)]
        if entries and not any(start < until and end > begin for begin, until in taken):
            taken.append((start, end))
            found += [one.id for one in entries]
    return tuple(dict.fromkeys(found))


def _counts(written: str, text: str, start: int, one: Named) -> bool:
    if " " in written.strip() and one.kind in _LOWER_KINDS:
        return True
    if written.casefold() in _PLAIN_NAMES or len(written) < 3:
        return False
    telling = any(letter.isupper() or letter.isdigit() for letter in written)
    if len(text.strip(" .?!")) <= len(written) + 1:  # the text is the name and nothing else
        return True
    first = not text[:start].strip()
    return telling and (one.rule > 0 or one.kind in _LOWER_KINDS) and not (first and written[1:].islower())

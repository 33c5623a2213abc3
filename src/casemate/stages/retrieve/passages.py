"""Reference passages for findings: what the knowledge says under their ids, then what a search brings."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from casemate.core.finding import Finding
from casemate.core.passage import Entry, Passage
from casemate.policy import Limits

SEARCHED_KINDS = ("detection", "pattern", "payload", "weakness", "malware", "actor", "tool")
"""The kinds of finding that are searched for by their words when they name no id."""

SEARCH_RESULTS = 3
SUCCESSIONS = 5  # steps from a revoked id to the one that stands; a longer way is a circle

_SENTENCE_END = re.compile(r"[.!?][\"')\]]*(?=\s|$)|\n\s*\n")
_NOT_AN_END = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|resp|approx|no|fig|inc|[A-Z]))\.$", re.IGNORECASE)


class Reference(Protocol):
    """The local reference knowledge."""

    def entry(self, id_: str, /) -> Entry | None:
        """Look an id up; None when it is unknown."""
        ...

    def search(self, query: str, /, kinds: tuple[str, ...] = (), limit: int = 10) -> tuple[Passage, ...]:
        """Search by words, the best first."""
        ...


def choose_passages(findings: Iterable[Finding], reference: Reference, limits: Limits) -> tuple[Passage, ...]:
    """Choose at most `limits.passages` passages for findings, each entry once.

    First what is exact: the entry of every id that a finding names, of every candidate of an ambiguous name, and the
    successor of a revoked one; then, for findings that name no id, what a search for their words brings. Quotes end at
    the end of a sentence and have at most `limits.quote_chars` characters.
    """
    kept: dict[str, Passage] = {}
    some = list(findings)
    for passage in (*_looked_up(some, reference), *_searched(some, reference)):
        if len(kept) >= limits.passages:
            break
        quote = trim_quote(passage.quote, limits.quote_chars)
        if quote:
            kept.setdefault(passage.id, replace(passage, quote=quote))
    return tuple(kept.values())


def trim_quote(text: str, most: int) -> str:
    """Cut a text after its last whole sentence within `most` characters, else after its last whole word, with `…`."""
    whole = text.strip()
    if len(whole) <= most:
        return whole
    ends = [found.end() for found in _SENTENCE_END.finditer(whole, 0, most + 1) if found.end() <= most]
    for end in reversed(ends):
        head = whole[:end].rstrip()
        if head and not _NOT_AN_END.search(head):
            return head
    cut = whole[: most - 1]
    word = cut.rsplit(None, 1)[0] if re.search(r"\s", cut) else cut
    return f"{word.rstrip()}…"


def _looked_up(findings: Iterable[Finding], reference: Reference) -> Iterator[Passage]:
    named = dict.fromkeys(id_ for finding in findings for id_ in (finding.reference, *finding.candidates) if id_)
    for id_ in named:
        entry = reference.entry(id_)
        for _step in range(SUCCESSIONS):
            if entry is None:
                break
            tactics = tuple(fact for fact in entry.facts if fact[0] == "tactic")
            yield Passage(entry.id, entry.kind, entry.name, entry.text or entry.name, entry.release, facts=tactics)
            entry = reference.entry(entry.successor) if entry.successor else None


def _searched(findings: Iterable[Finding], reference: Reference) -> Iterator[Passage]:
    asked: set[str] = set()
    for finding in findings:
        if finding.reference or finding.candidates or finding.kind not in SEARCHED_KINDS or finding.title in asked:
            continue
        asked.add(finding.title)
        yield from reference.search(finding.title, limit=SEARCH_RESULTS)

"""Tell which actor, malware or tool a text means: by alias, by an alias misspelled, or by what is said of it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from casemate.core.passage import Entry
from casemate.knowledge import NameMatch, fold_name
from casemate.stages.retrieve.entities import ids_in
from casemate.stages.retrieve.passages_index import Shelf, nearness, vector_of

KINDS = ("actor", "malware", "tool", "campaign")
MOST_CANDIDATES = 10
SHORT = 80
"""Characters up to which a text may be a name and nothing else."""

_WORDS = re.compile(r"[^\W_]+(?:['’.\-_][^\W_]+)*")
_SHORTEST_FUZZY = 5
_MOST_WINDOWS = 300
_NEAR = 0.08
_ATTACK_ID = re.compile(r"[GSC]\d{4}")


class Aliases(Protocol):
    """The names that the knowledge holds."""

    def entry(self, id_: str, /) -> Entry | None:
        """Look an id up."""
        ...

    def candidates(self, name: str, /) -> tuple[tuple[Entry, ...], ...]:
        """Give the groups of entries that bear a name, one for each thing."""
        ...

    def names_in(self, text: str, /) -> Iterator[NameMatch]:
        """Find names in prose."""
        ...

    def aliases(self, kinds: Sequence[str], /) -> Iterable[str]:
        """Give every name of the kinds, as written."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """One actor, malware or tool that may be meant; `score` says how well the text around fits it, 0..1."""

    name: str
    attack_id: str
    kind: str
    id: str
    aliases: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing a text means. `name` and `attack_id` are empty when several candidates fit: none is picked.

    `matched` is what the text says (empty when nobody is named and the candidates come from the description), `how` is
    `id`, `alias`, `spelling` or `description`.
    """

    name: str
    attack_id: str
    matched: str
    how: str
    candidates: tuple[Candidate, ...]


class SpellingIndex:
    """Names by their three-letter pieces, to find the one that a misspelled word means."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted({folded for name in names if len(folded := fold_name(name)) >= _SHORTEST_FUZZY})
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self._names):
            for piece in _pieces(name):
                self._holders[piece].append(number)

    def nearest(self, word: str) -> tuple[str, ...]:
        """Give the folded names nearest to a word, all equally near: one edit away, from nine letters on two."""
        folded = fold_name(word)
        if len(folded) < _SHORTEST_FUZZY or len(folded) > 60:
            return ()
        allowed = 1 if len(folded) < 9 else 2
        shared: defaultdict[int, int] = defaultdict(int)
        pieces = _pieces(folded)
        for piece in pieces:
            for number in self._holders.get(piece, ()):
                shared[number] += 1
        least = max(1, len(pieces) - 3 * allowed)
        best: dict[int, list[str]] = defaultdict(list)
        for number, count in shared.items():
            name = self._names[number]
            if count >= least and abs(len(name) - len(folded)) <= allowed and _digits(name) == _digits(folded):
                steps = edits(folded, name, allowed)
                if steps <= allowed:
                    best[steps].append(name)
        return tuple(best[min(best)]) if best else ()


def _digits(name: str) -> str:
    # APT28 and APT29 are one edit apart and two armies.
    return "".join(letter for letter in name if letter.isdigit())


def _pieces(name: str) -> set[str]:
    wide = f"  {name} "
    return {wide[at : at + 3] for at in range(len(wide) - 2)}


def edits(one: str, other: str, most: int) -> int:
    """Count insertions, deletions, replacements and swaps of neighbours between two words; `most` + 1 if more.

    (Optimal string alignment, after F. J. Damerau, "A technique for computer detection and correction of spelling
    errors", 1964.)
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        older, before, row = before, row, [place]
        for column, against in enumerate(other, 1):
            cost = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != against))
            if place > 1 and column > 1 and letter == other[column - 2] and one[place - 2] == against:
                cost = min(cost, older[column - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def map_actors(text: str, aliases: Aliases, shelf: Shelf, spelling: "SpellingIndex") -> tuple[Mention, ...]:
    """Name the actors, malware and tools that a text means, each once, in the order of the text.

    Ids come first, then exact aliases, then, for a short text or words with capitals, aliases misspelled by a letter or
    two; if nobody is named at all, those whose descriptions are nearest, which are never picked from.
    """
    found = [*_by_id(text, aliases), *_by_alias(text, aliases, shelf)]
    if not found:
        found = list(_by_spelling(text, aliases, shelf, spelling))
    if not found and len(text) > SHORT:
        found = list(_by_description(text, aliases, shelf))
    kept: dict[object, Mention] = {}
    for mention in found:
        kept.setdefault(tuple(candidate.id for candidate in mention.candidates), mention)
    return tuple(kept.values())


def _by_id(text: str, aliases: Aliases) -> Iterator[Mention]:
    for id_ in ids_in(text):
        entry = aliases.entry(id_) if _ATTACK_ID.fullmatch(id_) else None
        if entry is not None and entry.kind in KINDS:
            if entry.state and entry.successor:
                entry = aliases.entry(entry.successor) or entry
            yield Mention(entry.name, entry.id, id_, "id", (_candidate((entry,), 1.0),))


def _by_alias(text: str, aliases: Aliases, shelf: Shelf) -> Iterator[Mention]:
    whole = text.strip().strip("\"'.,;:()[]")
    groups = _groups(aliases.candidates(whole)) if 0 < len(whole) <= SHORT else []
    if groups:
        yield _mention(whole, "alias", groups, text, shelf)
        return
    seen = set()
    for match in aliases.names_in(text):
        folded = fold_name(match.text)
        if folded not in seen:
            seen.add(folded)
            groups = _groups(aliases.candidates(match.text))
            if groups:
                yield _mention(match.text, "alias", groups, text, shelf)


def _by_spelling(text: str, aliases: Aliases, shelf: Shelf, spelling: SpellingIndex) -> Iterator[Mention]:
    taken: list[tuple[int, int]] = []
    for start, end in _windows(text):
        if any(start < until and end > begin for begin, until in taken):
            continue
        written = text[start:end]
        groups = [group for name in spelling.nearest(written) for group in _groups(aliases.candidates(name))]
        distinct = {group[0].id: group for group in groups}
        if distinct:
            taken.append((start, end))
            yield _mention(written, "spelling", list(distinct.values()), text, shelf)


def _windows(text: str) -> list[tuple[int, int]]:
    """Give the places of up to four words that may be a name, the longest first."""
    words = list(_WORDS.finditer(text))
    short = len(text.strip()) <= SHORT
    spans: list[tuple[int, int]] = []
    for first, word in enumerate(words):
        for last in range(min(first + 4, len(words)) - 1, first - 1, -1):
            part = words[first : last + 1]
            if short or (all(one[0][0].isupper() for one in part) and (last > first or first > 0)):
                spans.append((word.start(), part[-1].end()))
    spans.sort(key=lambda span: span[0] - span[1])
    return spans[:_MOST_WINDOWS]


def _by_description(text: str, aliases: Aliases, shelf: Shelf) -> Iterator[Mention]:
    import numpy as np

    near = nearness(vector_of(text, shelf), shelf)
    if not near.size or float(near.max()) < _NEAR:
        return
    best: dict[str, float] = {}
    order = np.argsort(-near)[:200]
    pieces = shelf.read(order.tolist())
    for number in order:
        piece = pieces[int(number)]
        if piece.id[:1] == "G" or piece.kind == "actor":
            best[piece.id] = max(best.get(piece.id, 0.0), float(near[number]))
    ranked = sorted(best.items(), key=lambda pair: -pair[1])[:MOST_CANDIDATES]
    entries = [(entry, score) for id_, score in ranked if (entry := aliases.entry(id_)) is not None]
    if entries:
        yield Mention("", "", "", "description", tuple(_candidate((entry,), score) for entry, score in entries))


def _groups(groups: Sequence[Sequence[Entry]]) -> list[tuple[Entry, ...]]:
    kept = [tuple(entry for entry in group if entry.kind in KINDS) for group in groups]
    standing = [group for group in kept if group and not all(entry.state for entry in group)]
    return standing or [group for group in kept if group]


def _mention(matched: str, how: str, groups: Sequence[Sequence[Entry]], text: str, shelf: Shelf) -> Mention:
    scores = _fits(text, groups, shelf) if len(groups) > 1 else [1.0]
    ranked = sorted(zip(groups, scores, strict=True), key=lambda pair: -pair[1])[:MOST_CANDIDATES]
    candidates = tuple(_candidate(group, score) for group, score in ranked)
    one = candidates[0] if len(candidates) == 1 else None
    return Mention(one.name if one else "", one.attack_id if one else "", matched, how, candidates)


def _fits(text: str, groups: Sequence[Sequence[Entry]], shelf: Shelf) -> list[float]:
    """Say how well the terms of a text fit the passages about each group."""
    near = nearness(vector_of(text, shelf), shelf)
    scores = []
    for group in groups:
        numbers = [number for number, _, _ in shelf.owned([entry.id for entry in group])]
        scores.append(float(near[numbers].max()) if numbers else 0.0)
    return scores


def _candidate(group: Sequence[Entry], score: float) -> Candidate:
    numbered = next((entry for entry in group if _ATTACK_ID.fullmatch(entry.id)), None)
    first = numbered or group[0]
    names = dict.fromkeys(name for entry in group for name in entry.names if name != first.name)
    return Candidate(
        first.name, numbered.id if numbered else "", first.kind, first.id, tuple(names)[:20], round(score, 4)
    )

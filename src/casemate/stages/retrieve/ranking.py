"""Rank passages of a case for a question: BM25 over stems and identifiers, and how much of the question each covers."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from casemate.knowledge.terms import stem, terms_of
from casemate.stages.retrieve.passages_index import QUESTION_WORDS, QUIET

K1 = 1.2
B = 0.75
"""The usual constants of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009)."""

ALIKE_KEPT = 2
"""Passages of one template that are shown: the tenth failed log-on tells no more than the second."""

_ALIKE = (
    "login logon logged log-on sign signed session accepted authenticate authentication",
    "fail failed failure invalid unsuccessful wrong denied reject rejected",
    "attacker intruder adversary",
    "password passwd credential credentials",
    "download downloaded fetch fetched retrieve retrieved",
    "attachment attached filename",
    "sender sent from",
    "recipient to",
    "mail email message eml",
    "tool agent scanner",
    "scan scanned scanning scanner wordlist",
    "succeed succeeded success successful accepted",
    "guess guessed guessing failed brute-force brute",
    "server host",
    "arrive arrived received",
    "subject title",
    "persistence scheduled schtasks cron task",
    "website request requested get",
    "execute executed run ran start started launch",
    "malicious payload",
)
"""Words that stand for one another in questions and in logs."""

_GROUPS: Mapping[str, frozenset[str]] = {
    stem(word): frozenset(
        stem(other) for line in _ALIKE if word in line.split() for other in line.split() if other != word
    )
    for word in {word for line in _ALIKE for word in line.split()}
}
ALIKE_WEIGHT = 0.6
"""What a word counts that only stands for one of the question."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage by its place in the list that was ranked; `covered` is the share 0..1 of the question it holds."""

    place: int
    score: float
    covered: float


class PassageIndex:
    """The terms of passages, ready to be ranked for any number of questions."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._counts = [Counter(_terms(text)) for text in texts]
        self._holders = Counter(term for counts in self._counts for term in counts)
        self._mean = sum(map(len, self._counts)) / max(len(self._counts), 1) or 1.0

    def rarity(self, term: str) -> float:
        """Give what a term says: more the fewer passages hold it; the most for one that none holds."""
        held = self._holders.get(term, 0)
        return math.log(1 + (len(self._counts) - held + 0.5) / (held + 0.5))

    def holds(self, term: str) -> bool:
        """Tell whether any passage holds a term or one that stands for it."""
        return term in self._holders or any(other in self._holders for other in _GROUPS.get(term, ()))

    def weights(self, terms: Iterable[str]) -> dict[str, float]:
        """Give what each term of a question says; words of asking, whatever it is about, say little."""
        return {term: self.rarity(term) * (QUIET if term in QUESTION_WORDS else 1.0) for term in terms}

    def unknown_share(self, question: str) -> float:
        """Give the share 0..1 of a question, by what its terms say, that stands in no passage at all."""
        weights = self.weights(question_terms(question))
        unknown = sum(weight for term, weight in weights.items() if not self.holds(term))
        return unknown / (sum(weights.values()) or 1.0)

    def share_held(self, question: str, text: str) -> float:
        """Give the share 0..1 of a question, by what its terms say, that a text holds."""
        weights = self.weights(question_terms(question))
        _, held = self._score(Counter(_terms(text)), weights)
        return held / (sum(weights.values()) or 1.0)

    def rank(self, question: str, kinds: Sequence[Hashable] = (), most: int = 20) -> tuple[Ranked, ...]:
        """Rank the passages that hold a term of the question, best first, at most `ALIKE_KEPT` of one kind.

        `kinds` gives what kind (template) each passage is of; equal scores keep the order of the passages.
        """
        wanted = list(dict.fromkeys(_terms(question)))
        weights = self.weights(wanted)
        total = sum(weights.values()) or 1.0
        found = []
        for place, counts in enumerate(self._counts):
            score, covered = self._score(counts, weights)
            if score > 0:
                found.append(Ranked(place, score, covered / total))
        found.sort(key=lambda one: (-one.score, one.place))
        return _varied(found, kinds)[:most]

    def _score(self, counts: Counter[str], weights: Mapping[str, float]) -> tuple[float, float]:
        score = covered = 0.0
        length = K1 * (1 - B + B * len(counts) / self._mean)
        for term, weight in weights.items():
            count, share = counts.get(term, 0), 1.0
            if not count:
                count = max((counts[other] for other in _GROUPS.get(term, ()) if other in counts), default=0)
                share = ALIKE_WEIGHT
            if count:
                score += share * weight * count * (K1 + 1) / (count + length)
                covered += share * weight
        return score, covered


def question_terms(question: str) -> tuple[str, ...]:
    """Give the terms of a question that must be found: stems and identifiers, each once."""
    return tuple(dict.fromkeys(_terms(question)))


def _terms(text: str) -> list[str]:
    # The numbers inside an address or a date say nothing apart from the whole, which terms_of gives too.
    return [term for term in terms_of(text) if len(term) > 1 and not (term.isdigit() and len(term) < 4)]


def _varied(found: Sequence[Ranked], kinds: Sequence[Hashable]) -> tuple[Ranked, ...]:
    if not kinds:
        return tuple(found)
    kept: list[Ranked] = []
    seen: Counter[Hashable] = Counter()
    for one in found:
        seen[kinds[one.place]] += 1
        if seen[kinds[one.place]] <= ALIKE_KEPT:
            kept.append(one)
    return tuple(kept)

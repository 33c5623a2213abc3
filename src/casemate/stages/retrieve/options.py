"""Weigh the options of a question by the evidence for each that the knowledge holds."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import exp, log
from typing import TYPE_CHECKING, Protocol

from casemate.knowledge import Named, Piece
from casemate.knowledge.terms import PAIR, terms_of
from casemate.stages.retrieve.entities import entities_in
from casemate.stages.retrieve.passages_index import NEAREST, Shelf, Vector, nearest, nearness, relevance, vector_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

FEATURES = (
    "near",  # evidence in the forty passages nearest the question, each by its nearness squared
    "best3",  # the three best passages by nearness to question times nearness to option
    "best",  # the best of them
    "joint",  # the passage nearest to question and option put together
    "balanced",  # the passage that is near to both
    "covered",  # how much of what the option says stands in the nearest passages
    "covered_new",  # the same of what the question does not say already
    "pairs",  # the same of its pairs of words
    "sentence",  # the best sentence of the nearest passages
    "own",  # how near the question is to the passages of the entry that the option names
    "tied",  # whether the entry that the option names is tied to one that the question names
    "of_question",  # how much of the option the question says itself
    "unknown",  # the share of the option's words that the knowledge does not hold
    "stands",  # whether the option stands word for word in the nearest passages
    "own_both",  # the same as `own` where the passage is also about what the question names
)
"""What is measured of each option; all of it is compared between the options of one question."""

_NEGATED = re.compile(
    r"\b(?:NOT|EXCEPT|LEAST|INCORRECT|FALSE)\b"
    r"|\b[Ww]hich(?:\s+(?!when|that|if|where|who|because|by|due|how|what|in)[\w&/-]+){0,6}?"
    r"\s+(?:(?:is|are|was|were|would|should)\s+not|isn['’]t|aren['’]t)\b"
    r"|\bexcept\s*(?:for\s*)?[:?]|\ball\b[^?]{0,80}\bexcept\b|\bleast\s+(?:likely|effective|relevant)\b"
    r"|\b(?:is|are)\s+(?:unlikely|incorrect|false)\b"
)
"""What turns a question round. A weakness that "does not check" turns nothing round, so lower case needs a "which"."""
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_SENTENCES_OF = 12
ENOUGH = 0.02
"""Nearness of the nearest passage below which nothing is known of a question."""


class Library(Shelf, Protocol):
    """The passages, the names and the ties of the knowledge."""

    def named(self, folded: Sequence[str], /) -> tuple[Named, ...]:
        """Give the entries in force that bear any of the folded names."""
        ...

    def ties(self, ids: Sequence[str], /) -> Sequence[tuple[str, str, str]]:
        """Give every tie among the entries: id, relation, other id."""
        ...


@dataclass(frozen=True, slots=True)
class Weighed:
    """The options with their probabilities, the measurements behind them, and the passages that were looked at.

    `evidence` names, for each option, the passage that says most for it; `passages` are the nearest to the question,
    with their scores, the best first.
    """

    probabilities: tuple[float, ...]
    measured: "Matrix"
    negated: bool
    passages: tuple[tuple[int, float], ...]
    evidence: tuple[int, ...]
    nearness: float
    entities: tuple[str, ...]


def is_negated(question: str) -> bool:
    """Tell whether a question asks for the option that does not hold."""
    return _NEGATED.search(question) is not None


def weigh_options(question: str, options: Sequence[str], library: Library) -> Weighed:
    """Measure the evidence for each option and give their probabilities, by the trained weights of the features."""
    measured = measure(question, options, library)
    turned = -1.0 if measured.negated else 1.0
    logits = [turned * float(value) for value in compared(measured.measured) @ trained_weights()]
    top = max(logits)
    raised = [exp(value - top) for value in logits]
    total = sum(raised)
    return Weighed(
        tuple(value / total for value in raised),
        measured.measured,
        measured.negated,
        measured.passages,
        measured.evidence,
        measured.nearness,
        measured.entities,
    )


@lru_cache(maxsize=1)
def trained_weights() -> "NDArray[np.float64]":
    """Load the weights of the features, as `casemate factory train options` left them; turned round if negated."""
    import numpy as np

    held = json.loads(files("casemate.stages.retrieve").joinpath("option_weights.json").read_text("utf-8"))
    return np.array([held["weights"][f"{form}:{name}"] for form in ("spread", "share") for name in FEATURES])


def compared(measured: "Matrix") -> "Matrix":
    """Set each measurement against those of the other options: distance from their mean, share of the best."""
    import numpy as np

    spread = measured.std(axis=0)
    top = np.abs(measured).max(axis=0)
    centred = (measured - measured.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    share = measured / np.where(top > 1e-9, top, 1.0)
    return np.concatenate([centred, share - share.mean(axis=0)], axis=1)


def measure(question: str, options: Sequence[str], library: Library) -> Weighed:
    """Measure every feature of every option; the probabilities are all equal."""
    import numpy as np

    named, *of_options = entities_in([question, *options], library)
    asked = vector_of(question, library, asks=True)
    near = nearness(asked, library)
    ranked = relevance(near, named, library)
    top = nearest(ranked)
    pieces = library.read(top[:_SENTENCES_OF].tolist())
    sentences = _sentences([pieces[int(number)] for number in top[:_SENTENCES_OF]], ranked[top[:_SENTENCES_OF]])
    texts = [f"{pieces[int(number)].title} {pieces[int(number)].text}".casefold() for number in top[:_SENTENCES_OF]]
    ties = _tied(named, of_options, library)
    rows, evidence = [], []
    for option, entities in zip(options, of_options, strict=True):
        vector = vector_of(option, library)
        scores = nearness(vector, library)
        product = ranked * scores
        best = nearest(product, 3)
        both = np.minimum(ranked, scores)
        own, own_both = _own(near, [id_ for id_ in entities if id_ not in named], named, library)
        covered, covered_new, pairs = _covered(vector, asked, top, ranked, library)
        rows.append(
            [
                float((ranked[top] ** 2 * scores[top]).sum()),
                float(product[best].sum()),
                float(product[best[:1]].sum()) ** 0.5,
                float((ranked + scores).max()) if scores.size else 0.0,
                float(both.max()) if both.size else 0.0,
                covered,
                covered_new,
                pairs,
                _best_sentence(vector, asked, sentences),
                own,
                float(sum(id_ in ties for id_ in entities)),
                _shared(vector, asked),
                _unknown(option, vector),
                _stands(option, texts),
                own_both,
            ]
        )
        evidence.append(int(best[0]) if best.size else -1)
    count = max(len(options), 1)
    return Weighed(
        (1 / count,) * len(options),
        np.array(rows, float).reshape(len(options), len(FEATURES)),
        is_negated(question),
        tuple((int(number), float(ranked[number])) for number in top),
        tuple(evidence),
        float(near.max()) if near.size else 0.0,
        named,
    )


def _tied(named: Sequence[str], of_options: Sequence[Sequence[str]], library: Library) -> set[str]:
    every = [*named, *(id_ for ids in of_options for id_ in ids)]
    if not named or len(every) == len(named):
        return set()
    asked = {id_.casefold() for id_ in named}
    spelled = {id_.casefold(): id_ for id_ in every}
    found = set()
    for id_, _, other in library.ties(every):
        if id_.casefold() in asked:
            found.add(spelled.get(other.casefold(), other))
        if other.casefold() in asked:
            found.add(spelled.get(id_.casefold(), id_))
    return found - set(named)


def _own(
    near: "NDArray[np.float32]", entities: Sequence[str], named: Sequence[str], library: Library
) -> tuple[float, float]:
    import numpy as np

    if not entities:
        return 0.0, 0.0
    owned = library.owned(entities)
    if not owned:
        return 0.0, 0.0
    asked = {id_.casefold() for id_ in named}
    values = near[np.array([number for number, _, _ in owned])]
    both = [
        float(value)
        for value, (_, id_, other) in zip(values, owned, strict=True)
        if {id_.casefold(), other.casefold()} & asked
    ]
    return float(values.max()), max(both, default=0.0)


def _covered(
    vector: Vector, asked: Vector, top: "NDArray[np.int64]", ranked: "NDArray[np.float32]", library: Library
) -> tuple[float, float, float]:
    """Give how much of an option's terms the nearest passages hold: of all, of those not in the question, of pairs."""
    import numpy as np

    if not top.size:
        return 0.0, 0.0, 0.0
    places = np.sort(top[:NEAREST])
    force = (ranked[places] / ranked[top[0]]).astype(float)
    sums = {"all": [0.0, 0.0], "new": [0.0, 0.0], "pair": [0.0, 0.0]}
    for term, posting in library.postings(vector.weights).items():
        at = np.searchsorted(posting.pieces, places)
        held = (at < posting.pieces.size) & (posting.pieces[np.minimum(at, posting.pieces.size - 1)] == places)
        value = float(force[held].max()) if held.any() else 0.0
        kinds = ["pair"] if PAIR in term else ["all"] + (["new"] if term not in asked.weights else [])
        for kind in kinds:
            sums[kind][0] += posting.rarity * value
            sums[kind][1] += posting.rarity
    return tuple(part / (whole + 2.0) for part, whole in sums.values())  # type: ignore[return-value] # three of them


Sentences = list[tuple[frozenset[str], float]]


def _sentences(pieces: Sequence[Piece], force: "NDArray[np.float32]") -> Sentences:
    found: Sentences = []
    for piece, weight in zip(pieces, force, strict=True):
        head = terms_of(piece.title)
        found += [
            (frozenset(head + terms_of(part)), float(weight)) for part in _SENTENCE.split(piece.text)[:20] if part
        ]
    top = max((weight for _, weight in found), default=1.0) or 1.0
    return [(terms, weight / top) for terms, weight in found]


def _best_sentence(vector: Vector, asked: Vector, sentences: Sentences) -> float:
    mine = {term: rare for term, rare in vector.rarity.items() if PAIR not in term}
    theirs = {term: rare for term, rare in asked.rarity.items() if PAIR not in term}
    whole, all_asked = sum(mine.values()) + 2.0, sum(theirs.values()) + 2.0
    best = 0.0
    for terms, weight in sentences:
        said = sum(rare for term, rare in mine.items() if term in terms) / whole
        if said > 0:
            about = sum(rare for term, rare in theirs.items() if term in terms) / all_asked
            best = max(best, said * (0.2 + about) * (0.3 + weight))
    return best


def _shared(vector: Vector, asked: Vector) -> float:
    return sum(rare for term, rare in vector.rarity.items() if term in asked.rarity) / (vector.mass + 2.0)


def _unknown(option: str, vector: Vector) -> float:
    terms = set(terms_of(option))
    return sum(term not in vector.rarity for term in terms) / len(terms) if terms else 1.0


def _stands(option: str, texts: Sequence[str]) -> float:
    words = option.casefold().strip(" .")
    if len(words) < 3:
        return 0.0
    return next((1.0 / log(place + 2.72) for place, text in enumerate(texts) if words in text), 0.0)

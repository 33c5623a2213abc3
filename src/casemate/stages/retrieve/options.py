"""Weigh the options of a question by the evidence for each that the knowledge holds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from casemate.knowledge import Named
from casemate.stages.retrieve.composite import Composite, composites
from casemate.stages.retrieve.entities import entities_in
from casemate.stages.retrieve.measures import (
    Sentence,
    Told,
    best_phrase,
    best_sentence,
    best_spelling,
    containment,
    covered,
    cut_sentences,
    listed,
    plain,
    shared,
    stands,
    told_values,
    unknown,
)
from casemate.stages.retrieve.negation import is_negated
from casemate.stages.retrieve.option_weights import SIGNS, tempered, trained_weights
from casemate.stages.retrieve.passages_index import Shelf, Vector, nearest, nearness, relevance, vector_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Scores = NDArray[np.float32]

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
    "contained",  # the passage that says most of question and option, whatever its length
    "phrase",  # the best sentence that holds the option word for word
    "spelled",  # the best sentence by runs of four letters
    "listed",  # whether the option is among the values listed of what the question names
)
"""What is measured of each option; all of it is compared between the options of one question."""

RAW = (
    "listed",  # the same, not set against the other options
    "is_all",  # the option takes in others ...
    "all_support",  # ... and the least supported of them has this share of the support of the best
    "is_none",  # the option denies the others ...
    "none_support",  # ... and the best supported of them has so much
)
"""What is measured of each option and counts as it is, less the mean of the options."""

NAMES = (
    *(f"spread:{name}" for name in FEATURES),
    *(f"share:{name}" for name in FEATURES),
    *(f"raw:{name}" for name in RAW),
)
"""The columns of `compared`, each of which has a weight."""

_SENTENCES_OF = 12
_TOLD_OF = 40
"""Passages of what a question names that are read for the values they list."""


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
    """The options with their probabilities, the measurements behind them, and the passages looked at.

    `probabilities` add up to 1 and that of the best option is how often such an answer was right on questions made from
    entries that were held out. `evidence` names, for each option, the passage that says most for it; `passages` are the
    nearest to the question, with their scores, the best first. `support` is the most that one passage says of question
    and option together, `known` the share of the question's terms that the knowledge holds (both 0 to 1).
    `chance` is that of the best option before it is raised to that of a blind guess.
    """

    probabilities: tuple[float, ...]
    measured: "Matrix"
    negated: bool
    passages: tuple[tuple[int, float], ...]
    evidence: tuple[int, ...]
    nearness: float
    entities: tuple[str, ...]
    support: float
    known: float
    chance: float = 0.0


def weigh_options(question: str, options: Sequence[str], library: Library) -> Weighed:
    """Measure the evidence for each option and give their probabilities, by the trained and calibrated weights."""
    held = trained_weights()
    measured = measure(question, options, library)
    logits = logits_of(measured, held.options)
    chance = held.chance(signs(measured, logits))
    return replace(measured, probabilities=tempered(logits, chance), chance=chance)


def logits_of(weighed: Weighed, weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Weigh the measurements; a negated question turns the result round."""
    return (compared(weighed.measured) @ weights) * (-1.0 if weighed.negated else 1.0)


def compared(measured: "Matrix") -> "Matrix":
    """Set each measurement against those of the other options: distance from their mean, share of the best."""
    import numpy as np

    relative, raw = measured[:, : len(FEATURES)], measured[:, len(FEATURES) :]
    spread = relative.std(axis=0)
    top = np.abs(relative).max(axis=0)
    centred = (relative - relative.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    share = relative / np.where(top > 1e-9, top, 1.0)
    return np.concatenate([centred, share - share.mean(axis=0), raw - raw.mean(axis=0)], axis=1)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is found out of a question before its options are looked at."""

    vector: Vector
    near: "Scores"
    ranked: "Scores"
    top: "NDArray[np.int64]"
    held: "Scores"
    sentences: list[Sentence]
    texts: list[str]
    named: tuple[str, ...]
    told: Told
    known: float


def measure(question: str, options: Sequence[str], library: Library) -> Weighed:
    """Measure every feature of every option; the shares are all equal."""
    import numpy as np

    named, *of_options = entities_in([question, *options], library)
    asked = _look_at(question, named, library)
    ties = _tied(named, of_options, library)
    rows, evidence = [], []
    for option, entities in zip(options, of_options, strict=True):
        row, best = _measure_one(option, entities, asked, ties, library)
        rows.append(row)
        evidence.append(best)
    count = max(len(options), 1)
    measured = np.array(rows, float).reshape(len(options), len(FEATURES))
    return Weighed(
        (1 / count,) * len(options),
        _with_raw(measured, composites(options)),
        is_negated(question),
        tuple((int(number), float(asked.ranked[number])) for number in asked.top),
        tuple(evidence),
        float(asked.near.max()) if asked.near.size else 0.0,
        named,
        float(measured[:, FEATURES.index("contained")].max(initial=0.0)),
        asked.known,
    )


def signs(weighed: Weighed, logits: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Give what tells how far the best option may be trusted (`SIGNS`)."""
    import numpy as np

    order = np.sort(logits)[::-1]
    best = int(logits.argmax())
    shares = np.exp(logits - order[0])
    held = {
        "share": float(np.log(1e-6 + 1.0 / shares.sum())),
        "margin": float(min(order[0] - order[1], 10.0)) if len(order) > 1 else 0.0,
        "support": weighed.support,
        "support_of_best": float(weighed.measured[best, FEATURES.index("contained")]),
        "sentence": float(weighed.measured[:, FEATURES.index("sentence")].max()),
        "nearness": weighed.nearness,
        "known": weighed.known,
        "entities": float(bool(weighed.entities)),
        "negated": float(weighed.negated),
        "options": float(np.log(len(logits))),
    }
    return np.array([held[name] for name in SIGNS])


def _look_at(question: str, named: tuple[str, ...], library: Library) -> _Asked:
    vector = vector_of(question, library, asks=True)
    near = nearness(vector, library)
    ranked = relevance(near, named, library)
    top = nearest(ranked)
    first = top[:_SENTENCES_OF]
    own = [number for number, _, other in library.owned(named) if not other] if named else []
    pieces = library.read(dict.fromkeys([*first.tolist(), *own[:_TOLD_OF]]))
    nearby = [pieces[int(number)] for number in first]
    return _Asked(
        vector,
        near,
        ranked,
        top,
        containment(vector, library),
        cut_sentences(nearby, ranked[first], vector),
        [plain(f"{piece.title} {piece.text}") for piece in nearby],
        named,
        told_values(pieces[number].text for number in own[:_TOLD_OF] if number in pieces),
        1.0 - unknown(question, vector),
    )


def _measure_one(
    option: str, entities: Sequence[str], asked: _Asked, ties: set[str], library: Library
) -> tuple[list[float], int]:
    """Measure one option; also give the number of the passage that says most for it, -1 for none."""
    import numpy as np

    vector = vector_of(option, library)
    scores = nearness(vector, library)
    product = asked.ranked * scores
    best = nearest(product, 3)
    both = np.minimum(asked.ranked, scores)
    own, own_both = _own(asked.near, [id_ for id_ in entities if id_ not in asked.named], asked.named, library)
    said = covered(vector, asked.vector, asked.top, asked.ranked, library)
    row = [
        float((asked.ranked[asked.top] ** 2 * scores[asked.top]).sum()),
        float(product[best].sum()),
        float(product[best[:1]].sum()) ** 0.5,
        float((asked.ranked + scores).max()) if scores.size else 0.0,
        float(both.max()) if both.size else 0.0,
        *said,
        best_sentence(vector, asked.sentences),
        own,
        float(sum(id_ in ties for id_ in entities)),
        shared(vector, asked.vector),
        unknown(option, vector),
        stands(option, asked.texts),
        own_both,
        float((asked.held * containment(vector, library)).max(initial=0.0)),
        best_phrase(option, asked.sentences),
        best_spelling(option, asked.sentences),
        listed(option, asked.told, asked.vector),
    ]
    return row, int(best[0]) if best.size else -1


def _with_raw(measured: "Matrix", composed: dict[int, Composite]) -> "Matrix":
    """Put the raw measurements beside the others; an option that speaks of others has the mean of theirs."""
    import numpy as np

    raw = np.zeros((len(measured), len(RAW)))
    support = measured[:, FEATURES.index("contained")] + measured[:, FEATURES.index("sentence")]
    raw[:, 0] = measured[:, FEATURES.index("listed")]
    rows = measured.copy()
    plain_ones = [place for place in range(len(measured)) if place not in composed]
    for place, one in composed.items():
        members = list(one.members) or plain_ones
        if members:
            rows[place] = measured[members].mean(axis=0)
            most = float(support[members].max())
            if one.holds:
                raw[place, 1:3] = 1.0, float(support[members].min()) / most if most > 0 else 0.0
            else:
                raw[place, 3:5] = 1.0, most
    return np.concatenate([rows, raw], axis=1)


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


def _own(near: "Scores", entities: Sequence[str], named: Sequence[str], library: Library) -> tuple[float, float]:
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

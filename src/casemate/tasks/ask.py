"""Answer a question from the knowledge, with or without options, and always show the passages behind the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from casemate.core.passage import Passage
from casemate.knowledge import Piece
from casemate.knowledge.search import quote_of
from casemate.knowledge.terms import terms_of
from casemate.stages.extract.injections import find_injections
from casemate.stages.retrieve.entities import entities_in
from casemate.stages.retrieve.negation import is_negated
from casemate.stages.retrieve.option_weights import trained_weights
from casemate.stages.retrieve.options import Library, weigh_options
from casemate.stages.retrieve.passages_index import nearest, nearness, relevance, vector_of

MOST_CHARS = 8_000
"""Characters of a question, and of an option, that are read; a longer one is answered by nothing."""
MOST_OPTIONS = len(ascii_uppercase)
SHOWN = 5
LEAST_KNOWN = 0.5
"""The share of a question's terms that the knowledge must hold before anything is answered."""
LEAST_NEAR = 0.08
OPEN_LEAST_NEAR = 0.15

REASONS = {
    "empty": "there is no question",
    "too-long": f"the question or an option is longer than {MOST_CHARS} characters",
    "too-many-options": f"there are more than {MOST_OPTIONS} options",
    "one-option": "there is only one option, so there is nothing to choose",
    "not-understood": "too few of the words are known; questions are answered in English",
    "nothing-known": "no passage of the knowledge is near the question",
    "not-supported": "no passage of the knowledge speaks clearly enough for one of the options",
    "instruction": "the question gives orders to a model",
}
"""Why a question is answered by nothing: a stable code, and what it means."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with the passages behind it.

    With options `answer` is the letter of one, and `scores` gives the probability of each letter; they add up to 1, and
    that of the answer is calibrated on made questions about entries that were held out. Without options `answer` is a
    quotation of the first passage and `scores` is empty. `abstained` says that nothing was answered and `reason` why;
    `guess` is the letter that the evidence favours all the same. `passages` come in the order of what they say for the
    answer.
    """

    answer: str
    scores: Mapping[str, float]
    passages: tuple[Passage, ...]
    abstained: bool
    reason: str
    guess: str
    negated: bool


def answer_question(question: str, options: Sequence[str], library: Library) -> Answer:
    """Answer a question by the passages of the knowledge; abstains, and says why, where they do not carry an answer."""
    reason = _refused(question, options)
    if reason:
        return _nothing(reason)
    if options:
        return _choose(question, options, library)
    return _quote(question, library)


def _refused(question: str, options: Sequence[str]) -> str:
    if not question.strip():
        return "empty"
    if len(options) == 1:
        return "one-option"
    if len(options) > MOST_OPTIONS:
        return "too-many-options"
    if any(len(text) > MOST_CHARS for text in (question, *options)):
        return "too-long"
    if any(
        place.kind in {"override", "fake-turn", "fake-answer"}
        for text in (question, *options)
        for place in find_injections(text, 0)
    ):
        return "instruction"
    return ""


def _nothing(reason: str, passages: tuple[Passage, ...] = (), guess: str = "") -> Answer:
    return Answer("", {}, passages, abstained=True, reason=reason, guess=guess, negated=False)


def _known_share(text: str, library: Library) -> float:
    terms = set(terms_of(text))
    return len(library.postings(terms)) / len(terms) if terms else 0.0


def _choose(question: str, options: Sequence[str], library: Library) -> Answer:
    weighed = weigh_options(question, options, library)
    best = max(range(len(options)), key=lambda place: weighed.probabilities[place])
    letter = ascii_uppercase[best]
    order = dict.fromkeys(
        [weighed.evidence[best], *(number for number, _ in weighed.passages)]
        if not weighed.negated
        else [number for number, _ in weighed.passages]
    )
    force = dict(weighed.passages)
    pieces = library.read([number for number in list(order)[: SHOWN + 1] if number >= 0])
    words = f"{question} {options[best]}"
    passages = _passages([pieces[number] for number in order if number in pieces], words, force)
    if weighed.known < LEAST_KNOWN:
        return _nothing("not-understood", (), letter)
    if weighed.nearness < LEAST_NEAR and not weighed.entities:
        return _nothing("nothing-known", passages, letter)
    if weighed.chance < trained_weights().least:
        return _nothing("not-supported", passages, letter)
    scores = {ascii_uppercase[place]: round(value, 4) for place, value in enumerate(weighed.probabilities)}
    return Answer(letter, scores, passages, abstained=False, reason="", guess=letter, negated=weighed.negated)


def _quote(question: str, library: Library) -> Answer:
    near = nearness(vector_of(question, library, asks=True), library)
    (named,) = entities_in([question], library)
    ranked = relevance(near, named, library)
    top = nearest(ranked, SHOWN)
    pieces = library.read(top.tolist())
    passages = _passages(
        [pieces[int(number)] for number in top], question, {int(number): float(ranked[number]) for number in top}
    )
    if _known_share(question, library) < LEAST_KNOWN:
        return _nothing("not-understood")
    if not passages or (float(near.max()) < OPEN_LEAST_NEAR and not named):
        return _nothing("nothing-known", passages)
    first = passages[0]
    return Answer(first.quote, {}, passages, abstained=False, reason="", guess="", negated=is_negated(question))


def _passages(pieces: Sequence[Piece], words: str, force: Mapping[int, float]) -> tuple[Passage, ...]:
    about = frozenset(words.casefold().split())
    return tuple(
        Passage(
            piece.id,
            piece.kind,
            piece.title,
            quote_of(piece.text, about),
            piece.release,
            round(force.get(piece.number, 0.0), 4),
        )
        for piece in pieces[:SHOWN]
    )

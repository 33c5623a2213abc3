"""Lessons in writing grounded summaries: real evidence in the product's own prompt, answered by code and checked."""

import json
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from casemate.core.observable import Sighting
from casemate.factory.evidence_pool import COLLECTIONS, Text, cut_windows, is_held, read_texts
from casemate.factory.lessons import Lesson
from casemate.factory.restating import choose, restate
from casemate.policy import Limits
from casemate.stages.extract.injections import find_injections
from casemate.stages.extract.scanner import Scanner
from casemate.stages.generate import marker_of
from casemate.stages.validate import Claim, Excerpt, check_claims, find_quote
from casemate.tasks.prompt import build_request
from casemate.tasks.summary import PART

log = logging.getLogger(__name__)

SHARES = {"reports": 0.4, "alerts": 0.22, "windows": 0.12, "cloud": 0.13, "network": 0.13}
"""How much of the lessons each sort of evidence gives."""

_BUDGETS = (440, 520, 600)  # prompt tokens as the product estimates them; its own limit is the largest
_ROUNDS = 40  # times a file is looked at, at most


def make_summaries(data: Path, count: int, held: int, seed: int, limits: Limits | None = None) -> Iterator[Lesson]:
    """Make about so many lessons to learn from and so many held out, of files that are never on both sides."""
    limits = limits or Limits()
    scanner = Scanner()
    for sort, share in SHARES.items():
        texts = list(_texts(data, sort, limits))
        sides: dict[bool, list[Text]] = {True: [], False: []}
        for text in texts:
            sides[is_held(text.name)].append(text)
        if not sides[True] and len(texts) > 1:
            sides[True].append(sides[False].pop())
        for side, wanted in ((False, count), (True, held)):
            chance = random.Random(f"{seed}:{sort}:{side}")  # noqa: S311 - a repeatable draw, no secret
            made = list(islice(_lessons(sides[side], chance, scanner), round(wanted * share)))
            log.info("summary %s %s: %d of %d files", sort, "held" if side else "learnt", len(made), len(sides[side]))
            yield from (replace(lesson, held=side) for lesson in made)


def _texts(data: Path, sort: str, limits: Limits) -> Iterator[Text]:
    for place in COLLECTIONS[sort]:
        path = data / place
        if path.is_file():
            yield from read_texts(path, limits)
        else:
            log.info("%s is absent and left out", place)


def _lessons(texts: Sequence[Text], chance: random.Random, scanner: Scanner) -> Iterator[Lesson]:
    """Go round the files, a window of each at a time, so that no file gives more than it must."""
    order = list(texts)
    for number in range(_ROUNDS * max(1, 20 // max(len(order), 1))):
        chance.shuffle(order)
        for text in order:
            for window in cut_windows(text, 1, chance):
                lesson = teach_summary(f"summary:{text.name}:{number}", text.name, window, chance, scanner)
                if lesson is not None:
                    yield lesson


def teach_summary(
    name: str, origin: str, window: Sequence[Excerpt], chance: random.Random, scanner: Scanner
) -> Lesson | None:
    """Make one lesson of a window of evidence; None where too little of it can be said again or a check fails."""
    request, shown = build_request(
        PART.instruction,
        PART.schema,
        window,
        marker_of(chance.randrange(2**31), name),
        seed=0,
        prompt_tokens=chance.choice(_BUDGETS),
        answer_tokens=PART.answer_tokens,
        seconds=1.0,
    )
    body = "\n".join(one.text for one in shown)
    if any(True for _ in find_injections(body, 0)):
        return None
    pairs = choose(restate(body), chance.choice((3, 3, 3, 4, 4, 5)), chance, checker(shown, scanner))
    if len(pairs) < PART.enough:
        return None
    return Lesson(name, "summary", request.instruction, request.evidence, answer_of(pairs), body, origin)


def answer_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Write quotations and sentences as the answer that the product asks for."""
    return json.dumps({"sentences": [{"quote": quote, "text": text} for quote, text in pairs]}, ensure_ascii=False)


def checker(shown: Sequence[Excerpt], scanner: Scanner) -> Callable[[str, str], bool]:
    """Make a function that tells whether a quotation and a sentence pass all checks of the product on this evidence."""
    seen = frozenset(sighting.value for one in shown for sighting in scanner.scan(one.text, 0))

    def scan(text: str) -> Iterable[Sighting]:
        return scanner.scan(text, 0)

    def fits(quote: str, text: str) -> bool:
        claim = Claim(
            text, find_quote(quote, shown), seen, scan, lambda _: False, lambda told: any(find_injections(told, 0))
        )
        return not check_claims([claim], PART.checks)[1]

    return fits

"""Flag text inside evidence that talks to a model: a sign for people, never the defence.

Each rule names cheap substrings. Only where one of them stands is the sentence around it looked at, in a window of
bounded length, so the cost is linear in the text whatever it holds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from casemate.stages.extract.marks import MarkFinder
from casemate.stages.extract.wordings import Rule, foreign_rules, rules


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One place where evidence seems to address a model.

    `start` and `end` select it in the normalised text. `kind` is one of `KINDS`. `phrase` is what stands there with
    white space collapsed, at most 200 characters; for hidden characters what they spell, or their code points.
    """

    start: int
    end: int
    kind: str
    phrase: str


KINDS = (
    "override",  # forget the instructions given before
    "role",  # be somebody else, or without rules
    "fake-turn",  # the mark-up of a chat in the middle of evidence
    "fake-answer",  # an answer in our own field names
    "steer-verdict",  # call it benign, do not report it
    "exfiltrate",  # send something out
    "prompt-leak",  # show the prompt
    "addressed",  # the model is spoken to by name
    "steer-output",  # how the answer is to look
    "hidden-text",  # characters nobody sees
)

_STOP = re.compile(r"[.!?;]\s|\n\s{0,8}\n|\\n\\n")
_PHRASE = 200

_TAGS = re.compile(r"(?<!\U0001f3f4)(?<![\U000e0020-\U000e007f])[\U000e0001\U000e0020-\U000e007f]{3,}+")
_ZERO_WIDTH = re.compile(r"[\u200b\u200c\u200d\u2060-\u2064\ufeff]{4,}+")
_BIDI = re.compile(r"[\u202d\u202e]|[\u2066-\u2068](?=[ -~])")
_SELECTORS = re.compile(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}+")


def find_injections(text: str, start: int) -> Iterator[Suspicion]:
    """Yield the places of one chunk of normalised text that talk to a model, in order; `start` is the chunk's offset.

    Places of one kind that overlap are given once. Never raises for what the text holds.
    """
    found = sorted(_search(text), key=lambda place: (place.start, -place.end, place.kind))
    ends: dict[str, int] = {}
    for place in found:
        if place.start >= ends.get(place.kind, -1):
            ends[place.kind] = place.end
            yield Suspicion(place.start + start, place.end + start, place.kind, place.phrase)


def _search(text: str) -> Iterator[Suspicion]:
    flowing = _flow(text)
    lower = flowing.encode("latin-1", "replace").lower()  # one byte a character, so that offsets agree
    places = _finder().places(lower)
    for rule in rules():
        for mark in rule.marks:
            after = 0
            for at in places.get(mark, ()):
                span = _apply(rule, text, text, at) or _apply(rule, text, flowing, at) if at >= after else None
                if span is not None:
                    after = span[1]
                    yield _suspect(text, span, rule.kind)
    if not text.isascii():
        yield from _foreign(text)
        yield from _hidden(text)


def _flow(text: str) -> str:
    """Let wrapped lines go on, and keep paragraphs apart; every character keeps its offset."""
    return text.replace("\n\n", "\0\0").replace("\n", " ").replace("\0\0", "\n\n")


@cache
def _finder() -> MarkFinder:
    return MarkFinder(tuple(mark for rule in rules() for mark in rule.marks))


def _apply(rule: Rule, text: str, flowing: str, at: int) -> tuple[int, int] | None:
    """Check a rule at one place: what must stand there, and what must follow or go before in the same sentence.

    Words are looked for in `flowing`, where wrapped lines go on; where a sentence ends is told by the text itself.
    """
    head = rule.at.compiled.match(flowing, at)
    if head is None:
        return None
    begin, end = at, head.end()
    if rule.then:
        stop = _STOP.search(text, end, end + rule.reach)
        last = stop.start() if stop else min(end + rule.reach, len(text))
        for pattern in rule.then:
            following = pattern.compiled.search(flowing, end, last)
            if following is None:
                return None
            end = following.end()
    if rule.before is not None:
        first = max(at - rule.reach, 0)
        for stop in _STOP.finditer(text, first, at):
            first = stop.end()
        leading = rule.before.compiled.search(flowing, first, at)
        if leading is None:
            return None
        begin = leading.start()
    return begin, end


def _foreign(text: str) -> Iterator[Suspicion]:
    for marks, pattern in foreign_rules():
        for mark in marks:
            at = text.find(mark)
            while at >= 0:
                found = pattern.match(text, at)
                if found is not None:
                    yield _suspect(text, found.span(), "override")
                at = text.find(mark, found.end() if found else at + len(mark))


def _hidden(text: str) -> Iterator[Suspicion]:
    for found in _TAGS.finditer(text):
        spelled = "".join(chr(ord(char) - 0xE0000) for char in found.group() if 0xE0020 <= ord(char) < 0xE007F)
        yield Suspicion(found.start(), found.end(), "hidden-text", spelled[:_PHRASE])
    for pattern in (_ZERO_WIDTH, _BIDI, _SELECTORS):
        for found in pattern.finditer(text):
            points = " ".join(f"U+{ord(char):04X}" for char in found.group()[:20])
            yield Suspicion(found.start(), found.end(), "hidden-text", points)


def _suspect(text: str, span: tuple[int, int], kind: str) -> Suspicion:
    phrase = " ".join(text[span[0] : min(span[1], span[0] + 2 * _PHRASE)].split())
    return Suspicion(span[0], span[1], kind, phrase[:_PHRASE])

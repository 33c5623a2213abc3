"""Read relations between named things off a sentence: subject, verb, object, by the order of words and no model.

It is meant to be right rather than complete: between a subject and its verb, and between a verb and its object, only
words may stand that cannot change who does what to whom. Negated sentences give nothing, hedged ones say so.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from casemate.stages.extract.relation_types import choose_relationship
from casemate.stages.extract.relation_words import (
    AUXILIARIES,
    BEFORE_VERB,
    BREAKS,
    HEDGES,
    KIND_NOUNS,
    LEADS,
    NEEDS,
    NEGATIONS,
    NEVER_ACTIVE,
    PASSIVE,
    VERBS,
)

OBJECT_WORDS = 7
"""Words that may stand between a verb and its object."""
SUBJECT_WORDS = 8
"""Words that may stand between a subject and its verb."""
LIST_CHARS = 400
"""Characters from a heading to the line of its list that a relation may reach over."""

TOKEN = re.compile(r"[Cc]&[Cc]|[^\W_]+(?:-[^\W_]+)*|n['’]t|['’]s|[^\w\s]")
_ADVERB = re.compile(r"[a-z]{3,}ly")
_WORD = re.compile(r"[A-Za-z][\w-]*")


@dataclass(frozen=True, slots=True)
class Mention:
    """A named thing in a text: `text[start:end]` is how it is written, `type` a STIX 2.1 name.

    `name` is the canonical name or value; `reference` the public id, empty where there is none or several.
    """

    start: int
    end: int
    type: str
    name: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """`subject` `relationship` `object`, read off the sentence that `start` and `end` select; `words` is its verb.

    `hedged` says that the sentence itself leaves it open.
    """

    subject: Mention
    relationship: str
    object: Mention
    start: int
    end: int
    words: str
    hedged: bool = False


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int
    group: tuple[Mention, ...] = ()
    owns: bool = False  # `X's ...`: what follows is meant, not X itself

    @property
    def low(self) -> str:
        return self.text.lower()


def find_relations(sentence: str, mentions: Sequence[Mention]) -> tuple[Relation, ...]:
    """Find the relations of one sentence; the offsets of mentions and relations are those of `sentence`."""
    tokens = _join_lists(_tokens(sentence, mentions))
    if not any(token.group for token in tokens) or _asks(tokens):
        return ()
    found = [*_by_verbs(tokens), *_by_nouns(tokens)]
    kept: dict[tuple[str, str, str], Relation] = {}
    for one in found:
        if (one.subject.type, one.subject.name) != (one.object.type, one.object.name):
            placed = replace(one, start=0, end=len(sentence))
            kept.setdefault((one.subject.name, one.relationship, one.object.name), placed)
    return tuple(kept.values())


def _asks(tokens: Sequence[_Token]) -> bool:
    lowered = [token.low for token in tokens[:40]]
    return bool(tokens) and (tokens[-1].text == "?" or ("evidence that" in " ".join(lowered) and "no" in lowered))


def _tokens(sentence: str, mentions: Sequence[Mention]) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    for mention in sorted(mentions, key=lambda one: (one.start, -one.end)):
        if mention.start < at:
            continue
        tokens += _words(sentence, at, mention.start)
        tokens.append(_Token(sentence[mention.start : mention.end], mention.start, mention.end, (mention,)))
        at = mention.end
    tokens += _words(sentence, at, len(sentence))
    return _without_asides(tokens)


def _words(sentence: str, start: int, end: int) -> Iterator[_Token]:
    for found in TOKEN.finditer(sentence, start, end):
        if found[0] not in '"“”‘*_`':
            yield _Token(found[0], found.start(), found.end())


def _without_asides(tokens: list[_Token]) -> list[_Token]:
    """Leave out what stands in round brackets (aliases, ids), and mark the owner in `X's`."""
    kept: list[_Token] = []
    depth = 0
    for place, token in enumerate(tokens):
        if token.low == "turn" and place and tokens[place - 1].low == "in" and kept and kept[-1].low == "in":
            kept.pop()  # `which in turn downloads`
        elif token.text == "(":
            depth += 1
        elif token.text == ")":
            depth = max(depth - 1, 0)
        elif depth:
            continue
        elif token.text in {"'s", "’s"} and kept and kept[-1].group:
            kept[-1] = replace(kept[-1], owns=True)
        else:
            kept.append(token)
    return kept


def _join_lists(tokens: list[_Token]) -> list[_Token]:
    """Join `X, Y and the loader Z` into one token of three mentions; only like stands beside like."""
    joined: list[_Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        while token.group and not token.owns:
            reach = _next_of_list(tokens, place, token.group[0])
            if reach is None:
                break
            after = tokens[reach]
            token = _Token(token.text, token.start, after.end, (*token.group, *after.group), after.owns)
            place = reach + 1
        joined.append(token)
    return joined


_ALIKE = {"intrusion-set": "who", "threat-actor": "who", "campaign": "who", "malware": "what", "tool": "what",
    "ipv4-addr": "where", "ipv6-addr": "where", "domain-name": "where", "url": "where", "location": "victim",
    "identity": "victim"}  # fmt: skip


def _next_of_list(tokens: list[_Token], place: int, first: Mention) -> int | None:
    joints = 0
    for reach in range(place, min(place + 5, len(tokens))):
        token = tokens[reach]
        if token.group:
            same = _ALIKE.get(token.group[0].type, token.group[0].type) == _ALIKE.get(first.type, first.type)
            return reach if same and joints else None
        if token.text in {",", "/", "&"} or token.low in {"and", "or"}:
            joints += 1
        elif token.low not in KIND_NOUNS:
            return None
    return None


def _by_verbs(tokens: list[_Token]) -> Iterator[Relation]:
    last: int | None = None  # the subject of the verb before: `X exploited Y and deployed Z`
    for place, token in enumerate(tokens):
        meaning = "" if token.group else VERBS.get(token.low, "")
        if not meaning or _is_noun(tokens, place):
            continue
        after = place + 1
        if meaning in NEEDS:
            if after >= len(tokens) or tokens[after].low not in NEEDS[meaning]:
                continue
            after += 1
        passive = _is_passive(tokens, place)
        if passive and meaning not in NEVER_ACTIVE:
            yield from _passive(tokens, place, meaning)
            continue
        subject, last = _subject(tokens, place, last)
        target = _object(tokens, after, inside=meaning == "target")
        if subject is None or target is None or target == subject:
            continue
        yield from _relate(tokens, subject, meaning, target, place)
        further = _place_of(tokens, target) if meaning == "target" else None
        if further is not None:
            yield from _relate(tokens, subject, meaning, further, place)


def _place_of(tokens: list[_Token], target: int) -> int | None:
    """Find the country in `targets banks in X`."""
    further = _object(tokens, target + 1, inside=True)
    is_place = further is not None and tokens[further].group[0].type == "location"
    return further if is_place and any(token.low in _INSIDE for token in tokens[target:further]) else None


def _passive(tokens: list[_Token], place: int, meaning: str) -> Iterator[Relation]:
    """Read `Y was dropped by X` and `Y, deployed by X`."""
    target = _subject(tokens, place, None)[0]
    by = next((at for at in range(place + 1, min(place + 5, len(tokens))) if tokens[at].low == "by"), None)
    if target is None or by is None or any(tokens[at].group for at in range(place + 1, by)):
        return
    doer = _object(tokens, by + 1)
    if doer is not None:
        yield from _relate(tokens, doer, meaning, target, place)


def _is_passive(tokens: list[_Token], place: int) -> bool:
    word = tokens[place].low
    if not (word.endswith(("ed", "en")) or word in {"spread", "run"}):
        return False
    back = place - 1
    while back >= 0 and (_ADVERB.fullmatch(tokens[back].low) or tokens[back].low in {"also", "often", "then"}):
        back -= 1
    if back >= 0 and tokens[back].low in PASSIVE:
        return True
    if back >= 0 and tokens[back].low in {"has", "have", "had"}:
        return False
    return any(tokens[at].low == "by" for at in range(place + 1, min(place + 3, len(tokens))))


def _is_noun(tokens: list[_Token], place: int) -> bool:
    """Tell `the use of`, `its target`, `exploit kit` from verbs."""
    before = tokens[place - 1].low if place else ""
    after = tokens[place + 1].low if place + 1 < len(tokens) else ""
    nouns = {"use", "target", "targets", "exploit", "exploits", "load", "run", "drop", "abuse", "host", "download"}
    word = tokens[place].low
    if word in nouns and (
        after in {"of", "kit", "code", "server", "servers", "by", "for", "in", "is", "was"} or not after
    ):
        return True
    if place and tokens[place - 1].owns:
        return True
    return word in nouns and (before in {"the", "a", "an", "its", "their", "this", "of", "in", "for"})


def _subject(tokens: list[_Token], place: int, last: int | None) -> tuple[int | None, int | None]:
    """Find the subject left of a verb; gives it and what a following `and ...` may take up."""
    participle = tokens[place].low.endswith("ing") and not (place and tokens[place - 1].low in AUXILIARIES)
    steps, back = 0, place - 1
    while back >= 0 and steps <= SUBJECT_WORDS:
        token = tokens[back]
        if token.group:
            if token.owns:
                return None, last
            if participle and last is not None and last != back:
                return last, last
            before = _object_of(tokens, back)
            chosen = before if before is not None and tokens[place - 1].low == "to" else back
            return chosen, chosen
        if token.text == ",":
            over = _over_apposition(tokens, back)
            if over is not None:
                return over, over
            return (last, last) if participle and last is not None else (None, last)
        if token.low in {"and", "then"} and last is not None:
            return last, last
        if not (
            token.low in AUXILIARIES or token.low in BEFORE_VERB or token.low in HEDGES or _ADVERB.fullmatch(token.low)
        ):
            return (last, last) if participle and last is not None and steps == 0 else (None, last)
        steps += 1
        back -= 1
    return None, last


def _object_of(tokens: list[_Token], place: int) -> int | None:
    """Give the subject of the verb whose object stands here: `X used Y to ...`."""
    for back in range(place - 1, max(place - OBJECT_WORDS - 2, -1), -1):
        if tokens[back].group:
            return None
        if VERBS.get(tokens[back].low) in {"use", "exploit", "deploy"} and not _is_passive(tokens, back):
            return _subject(tokens, back, None)[0]
    return None


def _over_apposition(tokens: list[_Token], comma: int) -> int | None:
    """Step from the second comma of `X, a group from nowhere, uses` to X, and from `X, which uses`."""
    if comma and tokens[comma - 1].group and not tokens[comma - 1].owns:
        return comma - 1
    for back in range(comma - 1, max(comma - 14, 0), -1):
        if tokens[back].text == ",":
            opens = tokens[back + 1].low in {"a", "an", "the", "also", "which", "who", "tracked", "known", "formerly"}
            before = tokens[back - 1]
            return back - 1 if opens and before.group and not before.owns else None
        if tokens[back].text in ";.:":
            return None
    return None


_INSIDE = frozenset({"in", "across", "within", "throughout", "at", "least"})


def _object(tokens: list[_Token], place: int, *, inside: bool = False) -> int | None:
    """Find the object right of a verb; with `inside` a place may follow: `targets organizations in X`."""
    for at in range(place, min(place + OBJECT_WORDS + 1, len(tokens))):
        token = tokens[at]
        if token.group:
            return None if token.owns else at
        low = token.low
        if (
            low in LEADS
            or (inside and low in _INSIDE)
            or (low == "," and at + 1 < len(tokens) and tokens[at + 1].low in {"including", "such"})
        ):
            continue
        if low in BREAKS or not _WORD.fullmatch(token.text) or low in VERBS:
            return None
    return None


def _relate(tokens: list[_Token], subject: int, meaning: str, target: int, verb: int) -> Iterator[Relation]:
    first, last = min(subject, target, verb), max(subject, target, verb)
    around = {tokens[at].low for at in range(max(first - 3, 0), last) if not tokens[at].group}
    if around & NEGATIONS or _is_negated_by_phrase(tokens, first, last):
        return
    hedged = bool({tokens[at].low for at in range(max(first - 8, 0), last)} & HEDGES)
    words = " ".join(token.text for token in tokens[verb : verb + 2] if not token.group and _WORD.fullmatch(token.text))
    words = words if meaning in NEEDS else tokens[verb].text
    pairs = ((one, other) for one in tokens[subject].group for other in tokens[target].group)
    for one, other in pairs:
        source, goal = (other, one) if meaning == "author" else (one, other)
        relationship = choose_relationship(meaning, source.type, goal.type)
        if relationship:
            yield Relation(source, relationship, goal, 0, 0, words, hedged)


def _is_negated_by_phrase(tokens: list[_Token], first: int, last: int) -> bool:
    said = " ".join(token.low for token in tokens[max(first - 3, 0) : last])
    return bool(
        re.search(
            r"\b(?:failed to|fails to|rather than|no longer|stopped|prevents?|protects?|blocks?|detects?)\b", said
        )
    )


_VARIANT = frozenset({"variant", "version", "fork", "successor", "offshoot", "rebrand", "evolution", "descendant"})


def _by_nouns(tokens: list[_Token]) -> Iterator[Relation]:
    """Read `X is a variant of Y`, `X's use of Y`, `use of Y by X` and `X C2 server at Y`."""
    groups = [place for place, token in enumerate(tokens) if token.group]
    for one, other in pairwise(groups):
        between = [token.low for token in tokens[one + 1 : other]]
        if _VARIANT.intersection(between) and between and between[-1] in {"of", "the"} and "of" in between:
            opens = [word for word in between if word in {"is", "was", ",", "a", "an", "the", "as"}]
            if between[0] in {"is", "was", ","} and opens and len(between) <= 8:
                yield from _relate(tokens, one, "vary", other, one + 1)
        if (
            tokens[one].owns
            and between
            and between[-1] == "of"
            and set(between) & {"use", "usage", "deployment", "abuse"}
        ):
            yield from _relate(tokens, one, "use", other, one + 1)
        if between == ["by"] and one >= 2 and tokens[one - 1].low == "of" and tokens[one - 2].low in {"use", "usage"}:
            yield from _relate(tokens, other, "use", one, one - 2)
        yield from _control(tokens, one, other, between)


CONTROL = frozenset({"c2", "c&c", "cnc", "command-and-control", "c2s", "controller"})


def _control(tokens: list[_Token], one: int, other: int, between: Sequence[str]) -> Iterator[Relation]:
    """Read a server of a malware: `X C2 server 192.0.2.7`, and `192.0.2.7 port 443 - X C2`."""
    after = {token.low for token in tokens[other + 1 : other + 4]}
    left, right = tokens[one].group[0], tokens[other].group[0]
    harmless = len(between) <= 8 and all(word not in VERBS and word not in {"and", "or", ";"} for word in between)
    if left.type == "malware" and CONTROL.intersection(between) and harmless:
        yield from _relate(tokens, one, "communicate", other, one + 1)
    elif right.type == "malware" and CONTROL.intersection(after) and harmless and "," not in between:
        yield from _relate(tokens, other, "communicate", one, other + 1)

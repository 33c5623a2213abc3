"""Find the names of actors, campaigns, malware, tools and techniques in free text, without taking words for names.

Many names are ordinary words: Empire, Play, Cuba, net, at, route. Each name has a rule, decided when the index is
written from what is measured: a name is *ordinary* when prose about other things writes it in lower case (the word
table of the index) or when it stands in `ordinary_words.txt`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any

import orjson

from casemate.core.passage import Entry
from casemate.knowledge.kinds import NAMED_KINDS

NEVER, ANY_CASE, AS_WRITTEN, IN_CONTEXT, PHRASE, EXACT_PHRASE = 0, 1, 2, 3, 4, 5
"""Rules: not looked for; in any case; only as the name is written or in capitals; only so and beside a telling word;
as several words in any case; as several words exactly as written."""

_TOKEN = re.compile(r"[^\W_]+")
_NUMBERED = re.compile(r"([A-Za-z]{2,8})[ \-_]?(\d{1,5})")
_SPLIT = re.compile(r"([^\W_]+)")
_JOINTS = " \t\r\n-_\u2010\u2011\u2012\u2013\u2014\u2015"
_LONGEST_NAME = 80
_CONTEXT_CHARS = 48

_TELLING = (
    r"(?:ransomware|malware|trojan|backdoor|botnet|stealer|infostealer|rat|worm|wiper|rootkit|bootkit|spyware|"
    r"loader|downloader|dropper|implant|keylogger|cryptominer|web ?shell|exploit kit|threat (?:actor|group)|apt|"
    r"(?:c2|c&c|post-exploitation|command and control) framework|phishing kit)s?"
)
_TELLING_TOKENS = frozenset(
    f"{word}{plural}"
    for word in re.findall(
        r"\w+",
        "ransomware malware trojan backdoor botnet stealer infostealer rat worm wiper rootkit bootkit spyware loader "
        "downloader dropper implant keylogger cryptominer shell webshell kit actor group apt framework",
    )
    for plural in ("", "s")
)
"""One of these stands in every text in which a telling word can stand: without any, no context need be looked at."""
_LITTLE = r"(?:to|of|for|with|and|or|as|is|was|are|in|on|by|from|that|which|the|a|an) "
_AFTER = re.compile(rf"[\"'”’)]?[\s\-]{{1,2}}(?:(?!{_LITTLE})[a-z0-9\-]+ )?{_TELLING}(?![^\W_])", re.IGNORECASE)
_BEFORE = re.compile(
    rf"(?<![^\W_])(?:{_TELLING}(?: (?:family|gang|group|operation|strain|variant))?"
    r"(?:,? (?:called|named|dubbed|known as|tracked as))?|"
    r"threat actors? (?:known|tracked) as)[\s:]{1,2}[\"'“‘(]?$",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"\.(?:exe|dll|ps1|elf)(?![^\W_])", re.IGNORECASE)
_PATH_BEFORE, _PATH_AFTER = frozenset("./\\@#$%=&-_+~"), frozenset("/\\@=&-_$")


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A name that stands in a text: `text[start:end]` is `text`; `entries` is everything that bears the name."""

    start: int
    end: int
    text: str
    entries: tuple[Entry, ...]


@cache
def _listed() -> tuple[frozenset[str], frozenset[str]]:
    """Return the listed ordinary words, and the names that say nothing at all (after `[never]`)."""
    lines = files("casemate.knowledge").joinpath("ordinary_words.txt").read_text("utf-8").splitlines()
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    border = lines.index("[never]")
    return (
        frozenset(word for line in lines[:border] for word in line.split()),
        frozenset(lines[border + 1 :]),
    )


def rule_of(name: str, kind: str, state: str, words: frozenset[str]) -> int:
    """Decide how a name may be recognised in prose; `words` are lower-case words that are ordinary."""
    tokens = _TOKEN.findall(name)
    ordinary, never = _listed()
    if kind not in NAMED_KINDS or name.lower() in never or not len("".join(tokens)) >= 3 or len(name) > _LONGEST_NAME:
        return NEVER
    if not any(letter.isalpha() for letter in name):
        return NEVER
    plain = [
        token.lower() in words or token.lower() in ordinary or token.isdecimal() or len(token) == 1 for token in tokens
    ]
    if kind == "technique":
        return _rule_of_technique(tokens, plain, state)
    if len(tokens) > 1:
        return _rule_of_phrase(tokens, plain)
    return _rule_of_word(name, ordinary=plain[0])


def _rule_of_technique(tokens: list[str], plain: list[bool], state: str) -> int:
    if state:
        return NEVER
    if len(tokens) == 1:
        return NEVER if plain[0] or len(tokens[0]) < 5 else AS_WRITTEN
    return PHRASE if len(tokens) > 3 or not all(plain) else EXACT_PHRASE


def _rule_of_phrase(tokens: list[str], plain: list[bool]) -> int:
    if not all(plain):
        return ANY_CASE if len("".join(tokens)) > 5 else AS_WRITTEN
    written_as_name = sum(token[0].isupper() or token[0].isdecimal() for token in tokens) >= len(tokens) - 1
    return AS_WRITTEN if written_as_name and len(tokens) > 1 and not tokens[-1].isdecimal() else IN_CONTEXT


def _rule_of_word(name: str, *, ordinary: bool) -> int:
    if _NUMBERED.fullmatch(name):
        return ANY_CASE if len(name) > 4 and not ordinary else AS_WRITTEN
    if ordinary or len(name) < 4:
        return IN_CONTEXT
    if len(name) == 4 or name.islower():
        return AS_WRITTEN if not name.islower() or len(name) > 5 else IN_CONTEXT
    return ANY_CASE


@dataclass(frozen=True, slots=True)
class _Name:
    """A name made ready: its tokens in lower case, what stands between them, and which of them is the anchor.

    `exact` are the forms, without what stands between, that count as written.
    """

    folded: str
    rule: int
    tokens: tuple[str, ...]
    gaps: tuple[str, ...]
    anchor: int
    exact: frozenset[str]


def pack_names(names: Iterable[tuple[str, str, int]], words: frozenset[str]) -> bytes:
    """Make names (as written, folded, rule) ready for `NameFinder`, as JSON that the index keeps."""
    anchors: dict[str, list[list[object]]] = {}
    for name, folded, rule in names:
        for anchor, made in _prepare(name, folded, rule, words):
            row = [made.folded, made.rule, made.tokens, made.gaps, made.anchor, sorted(made.exact)]
            anchors.setdefault(anchor, []).append(row)
    return orjson.dumps(anchors, option=orjson.OPT_SORT_KEYS)


class NameFinder:
    """All names made ready for one pass: a dict from the anchor, the most telling token of a name, to the names."""

    def __init__(self, packed: bytes) -> None:
        # A name is made an object when its anchor is first met: of tens of thousands a text meets a few dozen.
        self._packed: dict[str, list[list[Any]]] = orjson.loads(packed)
        self._anchors: dict[str, list[_Name]] = {}

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and folded name of each name in the text, leftmost and longest first, not overlapping."""
        pieces = _SPLIT.split(text)  # gap, token, gap, token, ..., gap
        tokens = pieces[1::2]
        candidates = self._candidates(set(tokens))
        places = [2 * number + 1 for number, token in enumerate(tokens) if token in candidates]
        ends = list(accumulate(map(len, pieces))) if places else []
        found: list[tuple[int, int, str]] = []
        for place in places:
            for name in candidates[pieces[place]]:
                first = place - 2 * name.anchor
                last = first + 2 * len(name.tokens) - 2
                if _stands(pieces, first, last, name):
                    start, end = ends[first - 1], ends[last]
                    if _counts(text, start, end, "".join(pieces[first : last + 1 : 2]), name):
                        found.append((start, end, name.folded))
        found.sort(key=lambda match: (match[0], -match[1]))
        reached = 0
        for start, end, folded in found:
            if start >= reached:
                reached = end
                yield start, end, folded

    def _named(self, anchor: str) -> list[_Name]:
        known = self._anchors.get(anchor)
        if known is None and anchor in self._packed:
            rows = self._packed[anchor]
            known = [
                _Name(folded, rule, tuple(tokens), tuple(gaps), place, frozenset(exact))
                for folded, rule, tokens, gaps, place, exact in rows
            ]
            self._anchors[anchor] = known
        return known or []

    def _candidates(self, tokens: set[str]) -> dict[str, list[_Name]]:
        """Return, by the anchors as they stand in the text, the names all of whose tokens the text holds."""
        lowered = {token.lower() for token in tokens}
        telling = not lowered.isdisjoint(_TELLING_TOKENS)
        candidates = {}
        for token in tokens:
            names = self._named(token.lower())
            held = names and [
                name for name in names if lowered.issuperset(name.tokens) and (telling or name.rule != IN_CONTEXT)
            ]
            if held:
                candidates[token] = held
        return candidates


def _prepare(name: str, folded: str, rule: int, words: frozenset[str]) -> Iterator[tuple[str, _Name]]:
    """Yield each anchor by which a name can be met, with the name made ready for it."""
    numbered = _NUMBERED.fullmatch(name)
    written = list(numbered.groups()) if numbered else _TOKEN.findall(name)
    gaps = ("",) * (len(written) - 1) if numbered else tuple(gap.strip(" -_") for gap in _TOKEN.split(name)[1:-1])
    whole = "".join(written)
    capitals = rule != EXACT_PHRASE and (len(written) > 1 or len(whole) > 5)
    exact = {whole, whole.upper()} if capitals else {whole}
    if rule == IN_CONTEXT and whole.islower():
        exact.add(whole.capitalize())
    tokens = tuple(token.lower() for token in written)
    if len(tokens) > 1 and rule not in {PHRASE, EXACT_PHRASE}:
        yield whole.lower(), _Name(folded, rule, (whole.lower(),), (), 0, frozenset(exact))
    telling = [(token not in words, len(token)) for token in tokens]
    anchor = 0 if numbered else telling.index(max(telling))
    yield tokens[anchor], _Name(folded, rule, tokens, gaps, anchor, frozenset(exact))


def _stands(pieces: list[str], first: int, last: int, name: _Name) -> bool:
    """Tell whether the tokens of a name stand from `first` to `last`, with what may stand between them."""
    if first < 1 or last >= len(pieces):
        return False
    if first == last:
        return True  # the anchor is all of it
    for place, token in enumerate(name.tokens):
        if pieces[first + 2 * place].lower() != token:
            return False
    return all(_joins(pieces[first + 2 * place + 1], gap) for place, gap in enumerate(name.gaps))


def _joins(found: str, written: str) -> bool:
    """Tell whether what stands between two tokens fits: joints are alike, other punctuation stands for itself."""
    return found.strip(_JOINTS) == written and len(found) <= len(written) + 2


def _counts(text: str, start: int, end: int, form: str, name: _Name) -> bool:
    """Apply the rule of a name to a place where its tokens stand; `form` is them without what is between."""
    if name.rule in {ANY_CASE, PHRASE}:
        # In a path or an address lower case is the custom, and `bluesky` a host; only a program's file is a name there.
        return form in name.exact or not form.islower() or not _in_path(text, start, end, program=True)
    if form not in name.exact:
        return False
    if name.rule == IN_CONTEXT:
        return _has_context(text, start, end)
    return not _in_path(text, start, end)


def _has_context(text: str, start: int, end: int) -> bool:
    if _AFTER.match(text, end, end + _CONTEXT_CHARS) and not _in_path(text, start, end):
        return True
    before = text[max(0, start - _CONTEXT_CHARS) : start]
    return _BEFORE.search(before) is not None and not _in_path(text, start, end)


def _in_path(text: str, start: int, end: int, *, program: bool = False) -> bool:
    """Tell whether a name is glued into a path, an address or an identifier, where words are not used as names.

    With `program`, the name of a program's file may stand after a path.
    """
    is_program = _PROGRAM.match(text, end) is not None
    if start and text[start - 1] in _PATH_BEFORE:
        return not (program and is_program)
    if end >= len(text):
        return False
    if text[end] == "." and end + 1 < len(text) and text[end + 1].isalnum():
        return not is_program
    return text[end] in _PATH_AFTER

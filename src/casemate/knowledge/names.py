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

from casemate.core.passage import Entry
from casemate.knowledge.kinds import NAMED_KINDS

NEVER, ANY_CASE, AS_WRITTEN, IN_CONTEXT = 0, 1, 2, 3
"""Rules: not looked for; in any case; only as the name is written or in capitals; only so and beside a telling word."""

_TOKEN = re.compile(r"[^\W_]+")
_NUMBERED = re.compile(r"([A-Za-z]{2,8})[ \-_]?(\d{1,5})")
_JOINT = r"[\s\-_\u2010-\u2015]"
_LONGEST_NAME = 80
_CONTEXT_CHARS = 48

_TELLING = (
    r"(?:ransomware|malware|trojan|backdoor|botnet|stealer|infostealer|rat|worm|wiper|rootkit|bootkit|spyware|"
    r"loader|downloader|dropper|implant|keylogger|cryptominer|web ?shell|exploit kit|threat (?:actor|group)|apt|"
    r"(?:c2|c&c|post-exploitation|command and control) framework|phishing kit)s?"
)
_AFTER = re.compile(rf"[\"'”’)]?[\s\-]{{1,2}}(?:[a-z0-9\-]+ )?{_TELLING}(?![^\W_])", re.IGNORECASE)
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
    return ANY_CASE if len(tokens) > 2 or not all(plain) else AS_WRITTEN


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
    """A name made ready: what must stand before and after its anchor, the rule, and the forms that count as written."""

    folded: str
    rule: int
    before: re.Pattern[str] | None
    rest: re.Pattern[str]
    written: frozenset[str]


class NameFinder:
    """All names made ready for one pass: a dict from the anchor, the most telling token of a name, to the names."""

    def __init__(self, names: Iterable[tuple[str, str, int]]) -> None:
        self._anchors: dict[str, list[tuple[str, str, int]]] = {}
        self._ready: dict[str, list[_Name]] = {}
        for name, folded, rule in names:
            for anchor in _anchors_of(name):
                self._anchors.setdefault(anchor, []).append((name, folded, rule))

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and folded name of each name in the text, leftmost and longest first, not overlapping."""
        found: list[tuple[int, int, str]] = []
        for token in set(_TOKEN.findall(text)):
            if token.lower() in self._anchors:
                names = self._names(token.lower())
                for start in _places(text, token):
                    for name in names:
                        span = _match(text, start, start + len(token), name)
                        if span:
                            found.append((*span, name.folded))
        found.sort(key=lambda match: (match[0], -match[1]))
        reached = 0
        for start, end, folded in found:
            if start >= reached:
                reached = end
                yield start, end, folded

    def _names(self, anchor: str) -> list[_Name]:
        ready = self._ready.get(anchor)
        if ready is None:
            ready = [_prepare(anchor, *name) for name in self._anchors[anchor]]
            self._ready[anchor] = ready
        return ready


def _anchors_of(name: str) -> Iterator[str]:
    tokens = _TOKEN.findall(name.lower())
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        yield f"{numbered[1]}{numbered[2]}".lower()
        yield numbered[1].lower()
        return
    yield max(tokens, key=len)
    if len(tokens) > 1:
        yield "".join(tokens)


def _prepare(anchor: str, name: str, folded: str, rule: int) -> _Name:
    numbered = _NUMBERED.fullmatch(name)
    tokens = [numbered[1], numbered[2]] if numbered else _TOKEN.findall(name)
    gaps = [f"{_JOINT}?"] if numbered else [_gap(gap) for gap in _TOKEN.split(name)[1:-1]]
    joined = "".join(tokens).lower() == anchor
    place = 0 if joined or numbered else [token.lower() for token in tokens].index(anchor)
    head = "".join(re.escape(token) + gap for token, gap in zip(tokens[:place], gaps[:place], strict=True))
    tail = re.escape(tokens[place]) + "".join(
        gap + re.escape(token) for gap, token in zip(gaps[place:], tokens[place + 1 :], strict=True)
    )
    rest = re.escape("".join(tokens)) if joined else tail
    written = "".join(tokens)
    forms = {written, written.upper()} if len(tokens) > 1 or len(written) > 5 else {written}
    if rule == IN_CONTEXT and written.islower():
        forms.add(written.capitalize())
    before = re.compile(rf"(?<![^\W_]){head}$", re.IGNORECASE) if head and not joined else None
    return _Name(folded, rule, before, re.compile(rf"{rest}(?![^\W_])", re.IGNORECASE), frozenset(forms))


def _gap(written: str) -> str:
    """Make the pattern for what stands between two tokens: joints are alike, other punctuation stands for itself."""
    return f"{_JOINT}{{1,2}}" if not written.strip(" -_") else rf"\s?{re.escape(written.strip())}\s?"


def _places(text: str, token: str) -> Iterator[int]:
    start = text.find(token)
    while start >= 0:
        end = start + len(token)
        if not (start and text[start - 1].isalnum()) and not (end < len(text) and text[end].isalnum()):
            yield start
        start = text.find(token, end)


def _match(text: str, start: int, end: int, name: _Name) -> tuple[int, int] | None:
    rest = name.rest.match(text, start)
    if rest is None:
        return None
    end = rest.end()
    if name.before is not None:
        head = name.before.search(text, max(0, start - _LONGEST_NAME), start)
        if head is None:
            return None
        start = head.start()
    if name.rule == ANY_CASE:
        return start, end
    if "".join(_TOKEN.findall(text[start:end])) not in name.written:
        return None
    if name.rule == IN_CONTEXT:
        return (start, end) if _has_context(text, start, end) else None
    return (start, end) if not _in_path(text, start, end) else None


def _has_context(text: str, start: int, end: int) -> bool:
    if _AFTER.match(text, end, end + _CONTEXT_CHARS) and not _in_path(text, start, end):
        return True
    before = text[max(0, start - _CONTEXT_CHARS) : start]
    return _BEFORE.search(before) is not None and not _in_path(text, start, end)


def _in_path(text: str, start: int, end: int) -> bool:
    """Tell whether a name is glued into a path, an address or an identifier, where words are not used as names."""
    if start and text[start - 1] in _PATH_BEFORE:
        return True
    if end >= len(text):
        return False
    if text[end] == "." and end + 1 < len(text) and text[end + 1].isalnum():
        return _PROGRAM.match(text, end) is None
    return text[end] in _PATH_AFTER

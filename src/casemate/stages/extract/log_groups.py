"""Group log lines by the statement that wrote them, while they stream by, in bounded memory.

Two steps. Each line gets a fine template at once: `template_of` of its message, with runs of values folded into one.
When all lines were seen, fine templates that differ in one place only are joined where that place holds a value: when
what stands there looks like one, or many different words do. Words such as `opened` and `closed`, of which a log knows
two, keep their templates apart; that is what tells an analyst something. The prefix-tree and similarity idea is that of
Drain (He et al., ICWS 2017), the counting of words at a place that of LogCluster (Vaarandi, CNSM 2015).
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from casemate.stages.extract.templates import MASK, template_of

MANY = 8
"""Different words at one place of otherwise equal templates that make the place a value."""

LEAST_FIXED = 3
"""Constant words that templates must share to be joined."""

VALUES = 200
"""Different values counted in one group; those that come later are not, and the group says so."""

_UNIT = r"(?:bytes?|[KMGT]?i?B|[mun]?s|secs?|seconds?|minutes?|hours?|days?|%)"
_GLUED = re.compile(r"<\*>(?:[\w.@:/\\+~-]*<\*>|[\w.@/\\+~-]+)+")
_EMPTY = re.compile(r"\(\s?\)|\[\s?\]|\"\"|''")
_WITH_UNIT = re.compile(rf"<?<\*> {_UNIT}(?= \(|[\s,;.)\]]|$)(?: \(<\*> {_UNIT}\))?")
_RUN = re.compile(r"<\*>(?:[,;]? <\*>)+")
_REQUEST = re.compile(r'"(?P<method>[A-Z]{3,10}) [^"]*" (?P<status>[1-5]\d\d)\b')  # of a web server's access log
_VALUE_LIKE = re.compile(r"<\*>|[\\/@_=\d]|\w\.\w|\w:\w|[a-z][A-Z]")
_VALUE = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{1,15}://\S+|(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|[\w.+-]+@[\w.-]+"
    r"|(?:for|user|account)[ =](?!user|invalid|illegal)[\w.@\\$-]+|\"[^\"]{1,200}\""
    r"|[\w./\\:$-]*\d[\w./\\:$-]*|/[\w./-]+"
)


def fine_template(message: str) -> str:
    """Give the template of one message, single values for runs, empty brackets and numbers with their units."""
    template = template_of(message)
    request = _REQUEST.match(message)
    if request is not None:
        template = f"{request['method']} answered {request['status']}: {template}"
    if "<*>" in template or "(" in template or "[" in template:
        template = _GLUED.sub(MASK, template)
        template = _EMPTY.sub(lambda found: f"{found[0][0]}{MASK}{found[0][-1]}", template)
        template = _WITH_UNIT.sub(MASK, template)
        template = _RUN.sub(MASK, template)
    return template


def event_id(template: str) -> str:
    """Name a template: the same template has the same name in every log."""
    return "E" + sha256(template.encode("utf-8", "surrogatepass")).hexdigest()[:8]


class LineAt(NamedTuple):
    """Which line: its number over all inputs, the part it was read from, its number there, and its characters there."""

    number: int
    part: int
    line: int
    start: int
    end: int


@dataclass(slots=True)
class Group:
    """Lines of one statement; `example` is the message of the first.

    `values` counts what stood where the template is masked, `seen_at` tells the first line of each; `more_values` that
    there were more than could be counted.
    """

    template: str
    first: LineAt
    last: LineAt
    example: str
    count: int = 0
    programs: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    seen_at: dict[str, LineAt] = field(default_factory=dict)
    more_values: bool = False

    @property
    def id(self) -> str:
        """The name of its template."""
        return event_id(self.template)

    def rare_values(self, most: int) -> tuple[str, ...]:
        """Give values seen once or twice where others repeat; plain numbers, such as ports, are never told as rare."""
        told = {value: count for value, count in self.values.items() if not value.isdigit()}
        once = [value for value, count in told.items() if count <= 2]
        often = sum(count for count in told.values() if count > 2)
        return tuple(once[:most]) if often >= len(once) and often else ()


OTHER = "(lines beyond the limit of templates)"


class LogGroups:
    """Takes messages as they come; `groups` joins what belongs together and may be asked once all were seen."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers: dict[str, int] = {}
        self._groups: list[Group] = []
        self.lines = 0
        self.overflow = 0

    def see(self, message: str, program: str, line: LineAt, lead: str = "") -> int:
        """Count one message and give the number of its fine template, for `joined` to look up later.

        Values are counted in `lead` too: what stands before the time stamp is part of no template.
        """
        template = fine_template(message)
        number = self._numbers.get(template)
        if number is None:
            if len(self._groups) >= self._limit:
                self.overflow += 1
                template = OTHER
            number = self._numbers.get(template)
            if number is None:
                number = self._numbers[template] = len(self._groups)
                self._groups.append(Group(template, line, line, message[:400]))
        group = self._groups[number]
        group.count += 1
        group.last = line
        self.lines += 1
        if program and (program in group.programs or len(group.programs) < VALUES):
            group.programs[program] += 1
        if group.template != OTHER and MASK in template:
            _count_values(group, f"{lead} {message}" if lead else message, line)
        return number

    def joined(self) -> tuple[tuple[Group, ...], "array[int]"]:
        """Give the groups, the commonest first, and for each fine template the place of its group among them."""
        leaders = _join([group.template.split(" ") for group in self._groups])
        merged: dict[int, Group] = {}
        for number, group in enumerate(self._groups):
            template, leader = leaders[number]
            held = merged.get(leader)
            merged[leader] = _copy(group, template) if held is None else _add(held, group)
        order = sorted(merged, key=lambda leader: (-merged[leader].count, merged[leader].first))
        place = {leader: index for index, leader in enumerate(order)}
        return tuple(merged[leader] for leader in order), array(
            "l", (place[leaders[number][1]] for number in range(len(self._groups)))
        )


def _count_values(group: Group, message: str, line: LineAt) -> None:
    for found in _VALUE.finditer(message[:2000]):
        value = found[0][:200].rstrip(".:")
        if value in group.values:
            group.values[value] += 1
        elif len(group.values) < VALUES:
            group.values[value] = 1
            group.seen_at[value] = line
        else:
            group.more_values = True


def _copy(group: Group, template: str) -> Group:
    return Group(
        template,
        group.first,
        group.last,
        group.example,
        group.count,
        Counter(group.programs),
        Counter(group.values),
        dict(group.seen_at),
        group.more_values,
    )


def _add(held: Group, other: Group) -> Group:
    held.count += other.count
    if other.first < held.first:
        held.first, held.example = other.first, other.example
    held.last = max(held.last, other.last)
    held.programs.update(other.programs)
    held.values.update(other.values)
    for value, line in other.seen_at.items():
        held.seen_at[value] = min(line, held.seen_at.get(value, line))
    held.more_values = held.more_values or other.more_values
    return held


def _join(templates: Sequence[list[str]]) -> dict[int, tuple[str, int]]:
    """Join templates of equal length that differ in one place which holds a value; until nothing changes.

    Gives for each template the joined one and the number of the first that was joined into it.
    """
    current = {number: tuple(tokens) for number, tokens in enumerate(templates)}
    for _ in range(4):
        changed = _join_once(current)
        if not changed:
            break
        current = {number: changed.get(tokens, tokens) for number, tokens in current.items()}
    leaders: dict[tuple[str, ...], int] = {}
    return {number: (" ".join(tokens), leaders.setdefault(tokens, number)) for number, tokens in current.items()}


def _join_once(current: Mapping[int, tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    distinct = set(current.values())
    by_gap: dict[tuple[int, tuple[str, ...]], list[tuple[str, ...]]] = {}
    for tokens in sorted(distinct):
        if _fixed(tokens) < LEAST_FIXED or len(tokens) > 60:
            continue
        for place in range(len(tokens)):
            key = (place, (*tokens[:place], _stem(tokens[place]) + MASK, *tokens[place + 1 :]))
            if _fixed(key[1]) >= LEAST_FIXED:
                by_gap.setdefault(key, []).append(tokens)
    changed: dict[tuple[str, ...], tuple[str, ...]] = {}
    for (place, joined), members in by_gap.items():
        if len(members) > 1 and _is_value([tokens[place] for tokens in members]):
            for tokens in members:
                changed.setdefault(tokens, joined)
    return changed


def _stem(token: str) -> str:
    """Give what must stay the same at a place that is joined: `name=` of a parameter, `name(` of a call."""
    cut = max(token.rfind("="), token.rfind("("))
    return token[: cut + 1]


def _fixed(tokens: Iterable[str]) -> int:
    return sum(1 for token in tokens if MASK not in token)


def _is_value(words: Sequence[str]) -> bool:
    """Whether what stands at one place varies: all of it but one looks like values, or it is many different words."""
    likely = sum(1 for word in words if _VALUE_LIKE.search(word))
    return likely >= len(words) - (1 if len(words) > 2 else 0) or len(words) >= MANY

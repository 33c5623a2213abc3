"""Read `wordings.toml`, the ways in which text talks to a model, into rules."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple


class Rule(NamedTuple):
    """One way of talking to a model.

    `marks` are substrings (lower-case ASCII) that lead to a place; `at` must match there; the patterns of `then` must
    follow in their order within `reach` characters of the same sentence, and `before` must go before it within as many.
    """

    kind: str
    marks: tuple[bytes, ...]
    at: "Pattern"
    then: tuple["Pattern", ...]
    before: "Pattern | None"
    reach: int


@dataclass(slots=True)
class Pattern:
    """An expression that is compiled when it is first asked: most texts meet the marks of few rules."""

    text: str
    flags: re.RegexFlag = re.IGNORECASE
    _compiled: re.Pattern[str] | None = None

    @property
    def compiled(self) -> re.Pattern[str]:
        """The expression, compiled once."""
        if self._compiled is None:
            self._compiled = re.compile(self.text, self.flags)
        return self._compiled


class ForeignRule(NamedTuple):
    """The wish to have instructions forgotten, in a language not written in Latin letters."""

    marks: tuple[str, ...]
    at: re.Pattern[str]


_REACH = 90


@cache
def _document() -> dict[str, list[dict[str, object]]]:
    text = (resources.files(__package__) / "wordings.toml").read_text("utf-8")
    document = tomllib.loads(text)
    words = {f"<{name}>": pattern for name, pattern in document.pop("words").items()}
    for table in (*document["rule"], *document["foreign"]):
        for key, value in table.items():
            if key in {"at", "before"}:
                table[key] = _fill(value, words)
            elif key == "then":
                table[key] = [_fill(pattern, words) for pattern in value]
    return document


def _fill(pattern: str, words: dict[str, str]) -> str:
    for name, meaning in words.items():
        pattern = pattern.replace(name, meaning)
    return pattern


@cache
def rules() -> tuple[Rule, ...]:
    """Give the rules for languages in Latin letters."""
    made = []
    for table in _document()["rule"]:
        flags = re.RegexFlag(0) if table.get("case") else re.IGNORECASE
        before = table.get("before")
        made.append(
            Rule(
                str(table["kind"]),
                tuple(str(mark).encode("ascii") for mark in _listed(table["marks"])),
                Pattern(str(table["at"]), flags),
                tuple(Pattern(str(pattern)) for pattern in _listed(table.get("then", []))),
                Pattern(str(before)) if before else None,
                int(str(table.get("reach", _REACH))),
            )
        )
    return tuple(made)


@cache
def foreign_rules() -> tuple[ForeignRule, ...]:
    """Give the rules for other scripts, compiled."""
    return tuple(
        ForeignRule(tuple(str(mark) for mark in _listed(table["marks"])), re.compile(str(table["at"]), re.IGNORECASE))
        for table in _document()["foreign"]
    )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]

"""Markdown in which evidence is only ever text: escaped words, code spans and tables."""

import re
from collections.abc import Iterable, Iterator

from casemate.core.plain import plain

# CommonMark 0.31, section 2.4: a backslash before ASCII punctuation makes it text. `:`, `@` and `.` stop GitHub's
# automatic links (`http://`, `a@b`, `www.`). A character reference would not do: some renderers undo it first.
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&:@$=\"'/])")
_TICKS = re.compile("`+")


def words(text: str) -> str:
    """Escape hostile text so that it stays text on one line, inside a table cell too."""
    return _PUNCTUATION.sub(r"\\\1", plain(text))


def code(text: str) -> str:
    """Put hostile text into a code span with more backticks around than in it; a bar would end a table cell."""
    shown = plain(text).replace("|", "\\x7c")
    if not shown.strip():
        return "` `"
    fence = "`" * (max(map(len, _TICKS.findall(shown)), default=0) + 1)
    return f"{fence} {shown} {fence}"


def row(cells: Iterable[str]) -> str:
    """Write a row of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table and an empty one."""
    yield row(head)
    yield row("---" for _ in head)
    yield from map(row, rows)
    yield ""

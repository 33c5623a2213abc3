"""Lines of a terminal page: plain text of bounded width, coloured only by our own escapes."""

import textwrap
from collections.abc import Iterator

from casemate.core.plain import plain
from casemate.stages.export.plain import clip, columns

# SGR parameters (ECMA-48, 8.3.117); the only escapes ever written, and never from evidence.
_STYLES = {"head": "1", "alarm": "1;31", "warn": "33", "dim": "2", "good": "32"}


class Page:
    """Lines gathered one after the other, coloured only when asked to."""

    def __init__(self, width: int, *, colour: bool) -> None:
        self.width = width
        self.colour = colour
        self.lines: list[str] = []

    def style(self, style: str, text: str) -> str:
        """Colour text that holds no evidence, or evidence made plain."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour and text else text

    def line(self, text: str = "", style: str = "") -> None:
        """Add one line, cut to the width; `text` may hold evidence."""
        shown = clip(plain(text), self.width)
        self.lines.append(self.style(style, shown) if style else shown)

    def wrapped(self, text: str, first: str = "  ", rest: str = "  ", style: str = "") -> None:
        """Add a paragraph, broken at spaces; `text` may hold evidence."""
        for line in _wrap(plain(text), self.width, first, rest):
            self.lines.append(self.style(style, line) if style else line)

    def head(self, title: str, note: str = "") -> None:
        """Add an empty line and a heading, with a note beside it."""
        shown = clip(plain(note), self.width - len(title) - 2)
        self.lines.append("")
        self.lines.append(self.style("head", title.upper()) + (f"  {self.style('dim', shown)}" if note else ""))


def _wrap(text: str, width: int, first: str, rest: str) -> list[str]:
    if text.isascii():
        return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False) or [
            first
        ]
    lines, current, used = [], first, len(first)
    for word in text.split(" "):
        pieces = [word] if columns(word) <= width - len(rest) else list(_cut(word, width - len(rest)))
        for piece in pieces:
            if used + columns(piece) > width and used > len(rest):
                lines.append(current.rstrip(" "))
                current, used = rest, len(rest)
            current += piece + " "
            used += columns(piece) + 1
    return [*lines, current.rstrip(" ")]


def _cut(word: str, width: int) -> Iterator[str]:
    piece, used = "", 0
    for char in word:
        size = columns(char)
        if used + size > width:
            yield piece
            piece, used = "", 0
        piece += char
        used += size
    yield piece

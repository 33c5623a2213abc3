"""Show hostile text: every character that could move a cursor, hide text or turn it around becomes a visible escape."""

import re

# Printable by Unicode's category, and yet drawn as nothing: fillers, the empty Braille cell, variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(char: str) -> str:
    r"""Write one character as `\n`, `\x1b`, `\u202e` or `\U000e0001`."""
    if char in _SHORT:
        return _SHORT[char]
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def plain(text: str) -> str:
    """Make text safe to show on one line of a terminal, a page or a cell.

    Control characters (C0, C1, DEL), line ends, bidirectional and other format characters, surrogates, unassigned and
    private code points, odd spaces and characters that draw nothing come out as escapes; all else stays as it is, the
    backslash too, so the result is for eyes and not for reading back.
    """
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(char if char.isprintable() and not _INVISIBLE.match(char) else escape(char) for char in text)


def json_escaped(text: str) -> str:
    r"""Write what is not printable in a JSON text as JSON's own escapes, such as `\u009b`; it means the same.

    JSON leaves C1 controls and direction marks as they are, and some terminals obey them. Line feeds between values
    stay; inside a JSON string there is none.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json_escape(char) for char in text)


def json_escape(char: str) -> str:
    """Write one character as JSON's escape, beyond the basic plane as two."""
    number = ord(char)
    if number < 0x10000:
        return f"\\u{number:04x}"
    return f"\\u{0xD800 + (number - 0x10000 >> 10):04x}\\u{0xDC00 + (number - 0x10000 & 0x3FF):04x}"

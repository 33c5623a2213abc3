"""Show hostile text: every character that could move a cursor, hide text or turn it around becomes a visible escape."""

import re
import unicodedata

# Printable by Unicode's category, and yet drawn as nothing: fillers, the empty Braille cell, variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NETWORK = {"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr"}


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


def columns(text: str) -> int:
    """Count the terminal columns of plain text: two for wide East Asian characters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(char) for char in text)


def _columns_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clip(text: str, width: int) -> str:
    """Cut plain text to `width` columns, with an ellipsis where something was cut."""
    if columns(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        used += _columns_of(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def defang(type_: str, value: str) -> str:
    """Write a network observable so that no program makes a link of it: `hxxps[://]evil[.]example/a`."""
    if type_ not in _NETWORK:
        return value
    if type_ == "ipv6-addr":
        return value.replace(":", "[:]")
    if type_ == "email-addr":
        return value.replace("@", "[@]").replace(".", "[.]")
    if type_ != "url":
        return value.replace(".", "[.]")
    scheme, mark, rest = value.partition("://")
    if not mark:
        return value.replace(".", "[.]")
    host, slash, path = rest.partition("/")
    return f"{scheme.replace('t', 'x')}[://]{host.replace('.', '[.]')}{slash}{path}"

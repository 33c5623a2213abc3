"""Plain text in columns, and network observables that no program makes a link of."""

import unicodedata

_NETWORK = {"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr"}


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

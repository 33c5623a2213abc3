"""Reduce a log line to its template: the words its program always writes, with what varies masked as `<*>`.

A line is split at white space and each token masked on its own, so masks can be remembered: most tokens of a log are
seen again and again.
"""

import re
from functools import lru_cache

MASK = "<*>"

_LINE_CHARS = 4096
_TOKENS = 400
_REMEMBERED = 1 << 16

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = re.compile(
    rf"""(?:<\d{{1,3}}>\d?\s?)?[\[(]?(?:
      \d{{4}}[-/.]\d{{2}}[-/.]\d{{2}}(?:[T\s_,-]\s?\d{{2}}[:.]\d{{2}}(?:[:.]\d{{2}})?(?:[.,:]\d{{1,9}})?)?
      \s?(?:Z|UTC|[+-]\d{{2}}:?\d{{2}})?
     |(?:{_DAY},?\s)?{_MONTH}\s{{1,2}}\d{{1,2}}\s(?:\d{{4}}\s)?\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d+)?(?:\s\d{{4}})?
     |\d{{1,2}}/(?:{_MONTH}|\d{{2}})/\d{{2,4}}[:\s]\d{{2}}:\d{{2}}:\d{{2}}(?:\s[+-]\d{{4}})?
     |\d{{2}}[-.]\d{{2}}\s\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d+)?
     |\d{{8}}-\d{{1,2}}:\d{{1,2}}:\d{{1,2}}:\d{{1,3}}
     |\d{{6}}\s\d{{6}}(?=\s)
     |\d{{10}}(?:\.\d{{1,9}}|\d{{3}})?(?=\s)
    )[\])]?[\s,|:]*""",
    re.VERBOSE,
)
_QUOTED = re.compile(r'"[^"]*"|(?<![A-Za-z])\'[^\']*\'(?![A-Za-z])')
_USER = re.compile(
    r"(?i)\b((?:invalid |illegal |unknown |for )?user(?:name)?|account|acct|login"
    r"|password for(?! invalid| illegal| user)|failures? for)"
    r"(=|: ?| )(?!name|=|is |was |unknown[;,]|not |has |from |by |session)([\w.@\\$-]+)"
)

_SPECIAL = re.compile(
    r"""[a-zA-Z][a-zA-Z0-9+.-]{1,15}://\S+                                        # a URL
    |[\w.+-]+@[\w-]+\.[\w.-]+                                                      # an address
    |\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?  # a UUID
    |(?:\d{1,3}\.){3}\d{1,3}(?:[:/]\d{1,5})?                                       # IPv4
    |(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}                                    # IPv6, MAC, times
    |(?:[A-Za-z]:\\|\\\\)[^\s"'<>|,;]+                                             # a Windows path
    |(?<![\w.>])/?(?:[\w.$@+~*-]+/){2,}[\w.$@+~*-]*|(?<![\w.>/])/[\w.$@+~*-]+(?:/[\w.$@+~*-]*)*  # a path
    |(?<![\w.-])(?:[\w-]+\.)+(?:com|net|org|edu|gov|mil|info|biz|io|local|lan|internal|arpa|cn|ru|de|uk|fr|jp|tw|br|in|kr|nl)(?![\w-])(?!\.\w)(?::\d{1,5})?
    |(?<![\w.-])(?:[a-z0-9-]+\.){2,}(?!so|py|sh|js|pl|cc|rs|md|gz)[a-z]{2}(?![\w.-])(?::\d{1,5})?  # host names
    |0[xX][0-9a-fA-F]+
    |[\w.$-]*\d[\w.$-]*                                                            # anything with a digit
    """,
    re.VERBOSE,
)
_VALUES = re.compile(
    r"(?i)^([\"'\[({]?(?:rhost|host|user|uid|euid|ruser|logname|tty|addr|ip|src|dst|source|destination|path|file|name|exe|comm"
    r"|cmd|key|ses|pid|ppid|id|port|device|hostname|terminal|session|owner|group|target|acct|domain|url|uri)=)[^,;)\]]+"
)
_DATE_WORDS = frozenset(
    {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep"}
    | {"Oct", "Nov", "Dec"}
)
_SHORT_WORDS = frozenset(
    {"ssh2", "ipv4", "ipv6", "sha1", "sha256", "md5", "utf8", "utf-8", "http2", "x86_64", "v4", "v6"}
)


def template_of(line: str) -> str:
    """Mask what varies in a log line: times at its start, numbers, ids, addresses, paths, quoted text, user names.

    Lines of one log statement give one template, in the wording of the line, single-spaced; the same line always
    gives the same. At most the first 4,096 characters are looked at. An empty line gives an empty template.
    """
    line = line[:_LINE_CHARS].strip()
    began = _TIME.match(line)
    if began and began.end():
        line = line[began.end() :]
    if '"' in line or "'" in line:
        line = _QUOTED.sub(f'"{MASK}"', line)
    lower = line.lower()
    if "user" in lower or "acc" in lower or "login" in lower or "logname" in lower or " for " in lower:
        line = _USER.sub(rf"\1\2{MASK}", line)
    tokens = [token if token.isalpha() else _mask(token) for token in line.split(None, _TOKENS)[:_TOKENS]]
    if not _DATE_WORDS.isdisjoint(tokens):
        tokens = _without_dates(tokens)
    return " ".join(_without_repeats(tokens))


def _without_dates(tokens: list[str]) -> list[str]:
    """Mask the names of months and days that stand next to something masked."""
    return [
        MASK
        if token in _DATE_WORDS
        and any(near.startswith("<*>") or near in _DATE_WORDS for near in tokens[index + 1 : index + 2])
        else token
        for index, token in enumerate(tokens)
    ]


def _without_repeats(tokens: list[str]) -> list[str]:
    """Leave out a mask that only repeats the one before it: lists of values have no fixed length."""
    if tokens.count(MASK) < 2:
        return tokens
    return [token for index, token in enumerate(tokens) if token != MASK or index == 0 or tokens[index - 1] != MASK]


@lru_cache(maxsize=_REMEMBERED)
def _mask(token: str) -> str:
    if token.lower().strip("()[]:;,") in _SHORT_WORDS:
        return token
    if "=" in token:
        token = _VALUES.sub(rf"\1{MASK}", token)
    return _SPECIAL.sub(MASK, token)

"""Names on a host: paths, registry keys, mutexes and user agents."""

import re
from functools import lru_cache

from casemate.stages.extract.found import NOTHING, Found

_SEGMENT = r"[^\s\\/:*?\"<>|;,`'\u2018\u2019\u201c\u201d]"
_SPACED = rf"{_SEGMENT}(?:{_SEGMENT}| (?=[^\s\\/:*?\"<>|;,`'])){{0,99}}"
_WINDOWS = re.compile(
    rf"(?:[A-Za-z]:|%[A-Za-z_()0-9]{{3,30}}%|\\\\(?:[?.]\\[A-Za-z]:|[A-Za-z0-9._$-]{{2,64}}(?=\\)))"
    rf"(?:[\\/]{{1,2}}(?:{_SPACED}|\*|\[[\w ]{{1,40}}\])(?=\\))*"
    rf"[\\/]{{1,2}}(?:\*?{_SEGMENT}{{1,120}}(?:\*\.\w+|\*)?)?"
)
_LONGER = re.compile(rf"(?: {_SEGMENT}{{1,40}}){{0,2}} {_SEGMENT}{{0,40}}\.[A-Za-z0-9]{{1,5}}(?![\w\\])")
_EXTENSION = re.compile(r"\.[A-Za-z0-9_]{1,6}\Z")
_UNIX = re.compile(r"(?:~|)(?:/[\w.%@~+:=,#!$-]+)+/?")
_UNIX_ROOTS_TEXT = """
etc usr var tmp home opt bin sbin root dev proc sys mnt media srv lib lib64 lib32 boot run data system private users
library applications volumes storage sdcard vendor jffs system32 cdrom export nfs work scratch
"""
_UNIX_ROOTS = frozenset(_UNIX_ROOTS_TEXT.split())
_BEFORE_PATH = frozenset(" \"'=`\t(:<,>[\n")
_METHOD_BEFORE = re.compile(
    r"(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|CONNECT|PROPFIND|TRACE|URI:?|uri:?|path:?) ?[\"'`]?\Z"
)
_HIVES = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
    "\\REGISTRY\\MACHINE": "HKEY_LOCAL_MACHINE",
    "\\REGISTRY\\USER": "HKEY_USERS",
}
_KEY_SEGMENT = r"[^\s\\/\"<>|;,`'\u2018\u2019\u201c\u201d]"
_KEY_WORDS = rf"{_KEY_SEGMENT}+(?: (?!HK)[A-Z0-9({{]{_KEY_SEGMENT}*)*"
_KEY = re.compile(
    r"(HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG|PERFORMANCE_DATA)|HK(?:LM|CU|CR|U|CC)"
    r"|\\REGISTRY\\(?:MACHINE|USER)|(?i:hkey_(?:local_machine|current_user|classes_root|users|current_config))"
    r"|hk(?:lm|cu|cr|u|cc)|\\(?i:registry)\\(?i:machine|user)):?"
    rf"((?:\\{{1,2}}{_KEY_WORDS}){{0,40}}\\{{0,2}})"
)
_MARKED_MUTEX = re.compile(
    r"(?:mutex|mutant)(?:es|s)?(?: (?:name|object|named|called|value)s?)?[\"'*_]{0,2}"
    r"(?P<mark>[ \t]?[:=][ \t]?| is | named | called |[ \t])[\"'`\u201c\u2018]?",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[^\"'`\u201d\u2019\n]{3,120}")
_BARE_MUTEX = re.compile(r"[^\s\"'`,;|()<>]{3,120}")
_BROWSER = re.compile(
    r"Mozilla/[0-9]\.[0-9]{1,2}(?: ?\([^()\n]{0,300}(?:\([^()\n]{0,100}\)[^()\n]{0,100}){0,3}\))?"
    r"(?: [A-Za-z][\w.!+-]*/[\w.+-]*(?: \([^()\n]{1,100}\))?| \[[\w ]+\]| Mobile| Safari| like Gecko)*"
)
_AGENT_MARK = re.compile(r"(?: ?strings?| ?header)?[\"']?[)]?[ \t]?[:=][ \t]?(?P<quote>[\"'`\u201c]?)", re.IGNORECASE)
_AGENT_VALUE = re.compile(r"[^\s\"'`|<>\u201d][^\"`|<>\u201d\n\r]{2,300}")


def read_windows_path(text: str, end: int) -> tuple[Found, ...]:
    r"""Confirm a Windows path whose beginning (`C:\`, `%TEMP%\`, `\\h`) ends at `end`; `\\` inside counts as one."""
    if text[end - 1] == "\\" and text[end - 2] == ":":
        start = end - 3
    elif text[end - 1] == "\\":
        start = text.rfind("%", max(end - 33, 0), end - 2)
    else:
        start = end - 3
    match = _WINDOWS.match(text, start)
    if match is None:
        return NOTHING
    raw = match[0]
    if not _EXTENSION.search(raw) and text[match.end()] == " ":
        longer = _LONGER.match(text, match.end())
        if longer and not re.search(r" (?:and|or|to|in|is|with|from|by|the|as) ", longer[0] + " "):
            raw += longer[0]
    raw = _trim(raw)
    value = re.sub(r"\\\\+", r"\\", raw)
    if raw.startswith("\\\\"):
        value = "\\" + value
        if value.count("\\") < 3:
            return NOTHING
    if len(value.rstrip("\\")) < 4:
        return NOTHING
    return (("file-path", value, start, start + len(raw), ""),)


def _trim(raw: str) -> str:
    raw = raw.rstrip(".,:;!?_*'")
    while raw and raw[-1] in ")]}" and raw.count(raw[-1]) > raw.count({")": "(", "]": "[", "}": "{"}[raw[-1]]):
        raw = raw[:-1].rstrip(".,:;!?")
    return raw


def read_unix_path(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a Unix path of at least two parts whose first part and slash end at `end`."""
    start = text.rfind("/", max(end - 260, 0), end - 1)
    if text[start - 1] == "~":
        start -= 1
    match = _UNIX.match(text, start)
    if match is None:
        return NOTHING
    length = _path_length(match[0], plain_before=text[start - 1] in _BEFORE_PATH)
    if not length or (
        (text[start - 2].isalpha() or text[start - 2] in ": ")
        and (_METHOD_BEFORE.search(text, max(start - 12, 0), start))
    ):
        return NOTHING
    return (("file-path", match[0][:length], start, start + length, ""),)


@lru_cache(maxsize=16384)
def _path_length(raw: str, *, plain_before: bool) -> int:
    """Say how many characters of this are a path; 0 when it is none."""
    raw = raw.rstrip(".,:;!?=#-")
    parts = raw.strip("/~").split("/")
    first = parts[0].lower()
    if raw[0] != "~":
        if len(parts) < 2:
            return 0
        if first not in _UNIX_ROOTS:
            letters = all(re.search(r"[A-Za-z]", part) for part in parts[:2])
            if not plain_before or not letters or not re.match(r"[A-Za-z._]", first):
                return 0
            if len(parts) < 3 and not _EXTENSION.search(raw):
                return 0
    cut = raw.find(":", 1)
    return cut if cut > 0 else len(raw)


def read_registry(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a registry key whose hive begins before `end`; its value names the hive in full (STIX 2.1, 6.17)."""
    for match in _KEY.finditer(text, max(end - 24, 0), min(end + 512, len(text))):
        if match.start() < end <= match.end():
            break
    else:
        return NOTHING
    if text[match.start() - 1].isalnum() or not match[2].strip("\\"):
        return NOTHING
    raw = _trim(match[0])
    hive = match[1].upper()
    rest = re.sub(r"\\\\+", r"\\", raw[len(match[1]) :].lstrip(":")).rstrip("\\")
    if len(rest) < 2:
        return NOTHING
    return (("windows-registry-key", _HIVES.get(hive, hive) + rest, match.start(), match.start() + len(raw), ""),)


def read_mutex(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a mutex name behind its mark (`mutex: NAME`, `mutex named "NAME"`); the word ends at `end`."""
    mark = _MARKED_MUTEX.match(text, end - (6 if text[end - 1] in "tT" else 5))
    if mark is None:
        return NOTHING
    quoted = text[mark.end() - 1] in "\"'`\u201c\u2018"
    if not quoted and mark["mark"].strip() not in {":", "="}:
        return NOTHING
    match = (_QUOTED if quoted else _BARE_MUTEX).match(text, mark.end())
    if match is None:
        return NOTHING
    raw = match[0].rstrip(" .,;") if quoted else match[0].rstrip(".,;:)")
    if quoted and text[match.end()] == "\n":
        return NOTHING
    if len(raw) < 3 or raw.lower() in {"null", "none", "true", "false", "yes", "unknown"}:
        return NOTHING
    return (("mutex", raw, mark.end(), mark.end() + len(raw), ""),)


def read_browser(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a browser's user agent, whose `Mozilla/` and one digit end at `end`."""
    start = end - 9
    match = _BROWSER.match(text, start)
    if match is None or "(" not in match[0]:
        return NOTHING
    raw = match[0].rstrip(" .,;")
    return (("user-agent", raw, start, start + len(raw), ""),)


def read_marked_agent(text: str, end: int) -> tuple[Found, ...]:
    """Confirm any user agent behind its mark (`User-Agent: X`), which ends at `end`."""
    mark = _AGENT_MARK.match(text, end)
    if mark is None:
        return NOTHING
    value = _AGENT_VALUE.match(text, mark.end())
    if value is None:
        return NOTHING
    raw = value[0]
    if not mark["quote"]:
        raw = re.split(r"\\r|\\n|\s{2,}|\t|'", raw)[0]
    browser = _BROWSER.match(raw)
    if browser and "(" in browser[0] and not mark["quote"]:
        raw = browser[0]
    raw = raw.split("\\")[0]
    close = raw.find(")")
    if close >= 0 and "(" not in raw[:close]:
        raw = raw[:close]
    raw = raw.rstrip(" .,;'\"")
    if len(raw) < 3 or not re.search(r"[A-Za-z]", raw) or not (mark["quote"] or re.search(r"[/ 0-9]", raw)):
        return NOTHING
    return (("user-agent", raw, mark.end(), mark.end() + len(raw), ""),)

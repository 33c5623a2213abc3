"""Domains and e-mail addresses where an anchor says one may end, and everything defanged."""

import re

from casemate.stages.extract.addresses import after_address
from casemate.stages.extract.checks import is_ipv4
from casemate.stages.extract.domains import canonical_domain
from casemate.stages.extract.found import NOTHING, Found
from casemate.stages.extract.refang import ANY_AT, ANY_DOT, DEFANGED_DOT, refang_host
from casemate.stages.extract.tlds import CLASSIC, FILE_EXTENSIONS, known_suffix
from casemate.stages.extract.urls import read_path_after

_NAME_BACK = re.compile(r"[\w-]+(?:\.[\w-]+)+")  # read backwards, which changes nothing
_LOCAL_BACK = re.compile(r"[\w.+%&'=^~-]{1,64}")  # read backwards
_AT_BACK = re.compile(rf"(?<![\w.+%&=^~-])([\w.+%&=^~-]{{1,64}})({ANY_AT})\Z")
_DEFANGED_NAME = re.compile(rf"(?<![\w-])[\w-]{{1,63}}(?:{ANY_DOT}[\w-]{{1,63}}){{1,40}}")
_DEFANGED = re.compile(DEFANGED_DOT)
_PORT = re.compile(r"(?:\[:\]|:)([0-9]{1,5})(?![0-9A-Za-z])")
_ANY_DOT = re.compile(ANY_DOT)
_WINDOW = 300
_RETRIES = 3
_NO_BEFORE = frozenset("$&@#~")
_HOST_AFTER = re.compile(rf"[\])}}]?[ \t]?([\w-]{{1,63}}(?:{ANY_DOT}[\w-]{{1,63}}){{1,20}})")


class _Suffixes(dict[str, bool]):
    """Remembers which last labels end a domain; most anchors fall here, so it is asked before anything else."""

    def __missing__(self, label: str) -> bool:
        if len(self) > 50_000:
            self.clear()
        self[label] = answer = known_suffix(label)
        return answer


class _Names(dict[str, str]):
    """Remembers the canonical form of names, empty for what is no domain."""

    def __missing__(self, name: str) -> str:
        if len(self) > 50_000:
            self.clear()
        self[name] = answer = canonical_domain(name)
        return answer


_SUFFIX = _Suffixes()
_CANONICAL = _Names()
_QUIET_BEFORE = frozenset(" \t\n'\"(<,;|[=:")
_QUIET_AFTER = frozenset(" \t\n'\"),;|>]:/")


def read_domain(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a plain domain that ends at `end`, or the e-mail address it belongs to, with port or path behind it."""
    dot = text.rfind(".", end - 63 if end > 63 else 0, end)
    if not _SUFFIX[text[dot + 1 : end]]:
        return NOTHING
    match = _NAME_BACK.match(text[end - 1 : end - 256 if end > 256 else 0 : -1])
    if match is None:
        return NOTHING
    start = end - match.end()
    name = text[start:end]
    before = text[start - 1]
    if before == "@":
        return _read_mailbox(text, name, start, end)
    if name[0] == "-" and before == "\n":  # a list mark without its space
        stripped = name.lstrip("-")
        start += len(name) - len(stripped)
        name = stripped
    value = _CANONICAL[name] or _believed_by_place(text, name, start, end)
    if not value:
        return NOTHING
    after = text[end]
    if not (before in _QUIET_BEFORE and after in _QUIET_AFTER) and (
        after in "@(" or _hidden_by_place(text, name, start, end)
    ):
        return NOTHING
    if after in ":/[":
        return _with_tail(text, value, start, end)
    return (("domain-name", value, start, end, ""),)


def _read_mailbox(text: str, name: str, start: int, end: int) -> tuple[Found, ...]:
    if text[end] in "[({<\\" and _DEFANGED.match(text, end):
        return NOTHING  # the host goes on after a defanged dot
    host = canonical_domain(name, trusted=True)
    local = _LOCAL_BACK.match(text[start - 2 : max(start - 66, 0) : -1])
    if not host or local is None:
        return NOTHING
    begin = start - 1 - local.end()
    user = text[begin : start - 1].lstrip(".'=&%^~-")
    if not user or user.endswith(".") or (text[begin - 1] in "/:@" and text[begin - 3 : begin] == "://"):
        return NOTHING
    begin = start - 1 - len(user)
    return (("email-addr", f"{user}@{host}", begin, end, ""),)


def _believed_by_place(text: str, name: str, start: int, end: int) -> str:
    """Believe an ending that is a file extension too when only a host can stand there: a port or a path follows."""
    ending = name.rpartition(".")[2].lower()
    if ending not in FILE_EXTENSIONS or text[start - 1] in "/\\_%":
        return ""
    port = _PORT.match(text, end)
    if port and 0 < int(port[1]) < 65536 and int(port[1]) in {80, 443, 8080, 8443, 53, 22, 21, 25}:
        return canonical_domain(name, trusted=True)
    return ""


def _hidden_by_place(text: str, name: str, start: int, end: int) -> bool:
    before, after = text[start - 1], text[end]
    if before in "/\\":
        previous = text[start - 2]
        return previous.isalnum() or previous in "._-%~})]*" or (before == "\\" and previous != "\\")
    if before in _NO_BEFORE:
        return True
    if after in "[({<" and _DEFANGED.match(text, end):
        return True  # it goes on after a defanged dot
    if after == "\\" and text[end + 1] == ".":
        return True
    ending = name.rpartition(".")[2].lower()
    return ending not in CLASSIC and (after == "=" or (after == "[" and before in " \n\t(") or before == "%")


def _with_tail(text: str, value: str, start: int, end: int) -> tuple[Found, ...]:
    until = end
    port = None if text[end] == "/" else _PORT.match(text, end)
    if port and 0 < int(port[1]) < 65536:
        until = port.end()
    if text[until] == "/":
        url = read_path_after(text, f"{value}:{int(port[1])}" if port else value, start, until)
        if url:
            return (url, ("domain-name", value, start, until, ""))
    return (("domain-name", value, start, until, ""),)


def read_idn(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a domain whose last label is not ASCII, two characters of which end at `end`."""
    while text[end].isalnum() or text[end] == "-":
        end += 1
    return read_domain(text, end)


def _window(text: str, at: int) -> tuple[int, int]:
    low = text.rfind("\n", max(at - _WINDOW, 0), at) + 1 or max(at - _WINDOW, 0)
    high = text.find("\n", at, at + _WINDOW)
    return low, high if high >= 0 else min(at + _WINDOW, len(text))


def read_defanged(text: str, end: int) -> tuple[Found, ...]:
    """Confirm an address, domain or e-mail address with a defanged dot, which ends at or just before `end`."""
    opened = max(text.rfind("[", end - 12 if end > 12 else 0, end), text.rfind("(", end - 12 if end > 12 else 0, end))
    if opened > 0 and text[opened - 1] in "])}>.":
        return NOTHING  # a dot that no label stands before
    low, high = _window(text, end)
    for match in _DEFANGED_NAME.finditer(text, low, high):
        if match.end() < end - 1:
            continue
        if match.start() > end:
            return NOTHING
        found = _confirm_defanged(text, match.start(), match.end())
        return found or (("", "", match.start(), match.end(), ""),)
    return NOTHING


def _confirm_defanged(text: str, start: int, end: int) -> tuple[Found, ...]:
    raw = text[start:end]
    if " dot " in raw.lower() and raw.lower().rpartition(" dot ")[2] not in CLASSIC:
        return NOTHING
    plain = refang_host(raw).strip("-_")
    if is_ipv4(plain):
        return after_address(text, "ipv4-addr", plain, start, end, most=32)
    value = canonical_domain(plain, trusted=True)
    if not value:
        # `evil[.]com.Then` or `evil[.]com dot x`: leave out the last labels and try again.
        for cut in list(_ANY_DOT.finditer(raw))[: -_RETRIES - 1 : -1]:
            end = start + cut.start()
            plain = plain.rpartition(".")[0]
            value = canonical_domain(plain, trusted=True)
            if value:
                break
    if not value:
        return NOTHING
    before = text[start - 1]
    mailbox = (
        _AT_BACK.search(text, max(start - 80, 0), start)
        if before in "@])}>\\" or text[start - 3 : start].lower() == "at "
        else None
    )
    if mailbox and (" " not in mailbox[2].strip(" ") and (mailbox[2].strip() != "at" or " dot " in raw)):
        user = mailbox[1].lstrip(".'=&%^~-")
        if user:
            begin = mailbox.start() + len(mailbox[1]) - len(user)
            return (("email-addr", f"{user}@{value}", begin, end, ""),)
    return _with_tail(text, value, start, end)


def read_defanged_at(text: str, end: int) -> tuple[Found, ...]:
    """Confirm an e-mail address with a defanged at sign, which ends at `end`."""
    mark = end - 8 if end > 8 else 0
    opened = max(text.rfind(bracket, mark, end) for bracket in "[({")
    while opened > 0 and text[opened - 1] in " [({":
        opened -= 1
    local = _LOCAL_BACK.match(text[opened - 1 : opened - 66 if opened > 66 else 0 : -1])
    host = _HOST_AFTER.match(text, end)
    if opened < 1 or local is None or host is None:
        return NOTHING
    value = canonical_domain(refang_host(host[1]), trusted=True)
    user = local[0][::-1].lstrip(".'=&%^~-")
    return (("email-addr", f"{user}@{value}", opened - len(user), host.end(), ""),) if value and user else NOTHING

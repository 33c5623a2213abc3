"""IP addresses in text: IPv4 and IPv6 with network length and port, told from version numbers and object ids."""

import re
from functools import lru_cache

from casemate.stages.extract.checks import canonical_ipv6, is_ipv4
from casemate.stages.extract.found import NOTHING, Found
from casemate.stages.extract.urls import read_path_after

_V4_BACK = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")  # read backwards
_PORT = re.compile(r"\[?:\]?([0-9]{1,5})(?![0-9A-Za-z.])|:([0-9]{1,5})(?=\.(?![0-9]))")
_NETWORK = re.compile(r"\[?/\]?([0-9]{1,3})(?![0-9A-Za-z./-])")
_VERSION_TEXT = """
v ver version versions build release revision firmware update server before through patch driver package oid os openssl
kernel prior_to up_to upto earlier_than fixed_in upgrade_to
"""
_VERSION_BEFORE = re.compile(  # read backwards
    "[ .:=\"'>]{0,3}(?:"
    + "|".join(word[::-1].replace("_", " ") for word in _VERSION_TEXT.split())
    + r")(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_MAY_END_VERSION = frozenset("vVrRsSdDeEhHoOnNlL.=:\"'>")
_QUIET_BEFORE = frozenset(" \t\n([{,;|<=:'\"`>@/")
_QUIET_AFTER = frozenset(" \t\n)],;|<>'\"`:/")
_PRODUCT_BEFORE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*/\Z")
_VERSION_AFTER = re.compile(r" ?(?:and|or) (?:earlier|later|below|above|prior|older|newer)", re.IGNORECASE)
_V6_RUN = re.compile(r"[0-9A-Fa-f:.]+(?:\[:\][0-9A-Fa-f:.]*)*")
_V6_BACK = re.compile(r"(?:[0-9A-Fa-f:.]|\]:\[)*")  # read backwards
_PRODUCT_WORDS_TEXT = """
chrome chromium firefox safari version edge edg opr opera mozilla applewebkit webkit trident curl wget java python
openssl nginx apache php iis msie headlesschrome crios fxios yabrowser vivaldi electron samsungbrowser
"""
_PRODUCT_WORDS = frozenset(_PRODUCT_WORDS_TEXT.split())


class _Validity(dict[str, bool]):
    """Remembers which strings are addresses: logs repeat them, and a dictionary answers fastest."""

    def __missing__(self, text: str) -> bool:
        if len(self) > 50_000:
            self.clear()
        self[text] = answer = is_ipv4(text)
        return answer


_VALID = _Validity()


def _is_version(text: str, start: int, end: int) -> bool:
    before = text[start - 1]
    if before == "/":
        word = _PRODUCT_BEFORE.search(text, max(start - 24, 0), start) if text[start - 2].isalpha() else None
        if word and word[0][:-1].lower() in _PRODUCT_WORDS:
            return True
    elif (
        text[start - 2] in _MAY_END_VERSION
        and before in " =:.\"'>("
        and _VERSION_BEFORE.match(text[start - 1 : max(start - 24, 0) : -1])
    ):
        return True
    return text[end] == " " and text[end + 1] in "aAoO" and _VERSION_AFTER.match(text, end) is not None


def _standing_alone(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1], text[end]
    if before.isalnum() or before == "_" or after.isalnum() or after == "_":
        return False
    if before == "." and text[start - 2].isalnum():
        return False
    if before == "-" and text[start - 2].isalpha():
        return False
    if after in ".-" and end + 1 < len(text):
        following = text[end + 1]
        return not (following.isalpha() or (after == "." and following.isdigit()))
    return True


def read_ipv4(text: str, end: int) -> tuple[Found, ...]:
    """Confirm an IPv4 address that ends at `end`, with the network length or port that follows, or a URL path."""
    match = _V4_BACK.match(text[end - 1 : end - 17 if end > 17 else 0 : -1])
    if match is None:
        return NOTHING
    start = end - match.end()
    value = text[start:end]
    after = text[end]
    before, earlier = text[start - 1], text[start - 2]
    if not _VALID[value]:
        return NOTHING
    if not (before in _QUIET_BEFORE and after in _QUIET_AFTER) and not _standing_alone(text, start, end):
        return NOTHING
    suspect = earlier.isalpha() if before == "/" else earlier in _MAY_END_VERSION
    if (suspect or (after == " " and text[end + 1] in "aAoO")) and _is_version(text, start, end):
        return NOTHING
    if after in "/:[({":
        if after in "[({" and text[end + 1] in ".d@" and text[end + 2] in ".])}o":
            return NOTHING  # a defanged dot follows: it is not the end
        return after_address(text, "ipv4-addr", value, start, end, most=32)
    return (("ipv4-addr", value, start, end, ""),)


def after_address(text: str, kind: str, value: str, start: int, end: int, most: int) -> tuple[Found, ...]:
    """Add what may follow an address: a network length makes it a network, a port belongs to the raw form."""
    after = text[end]
    if after == "/" or (after == "[" and text[end + 1] == "/"):
        network = _NETWORK.match(text, end)
        if network and int(network[1]) <= most:
            return ((kind, f"{value}/{int(network[1])}", start, network.end(), ""),)
        url = read_path_after(text, value, start, end)
        return (url, (kind, value, start, end, "")) if url else ((kind, value, start, end, ""),)
    if after == ":" or (after == "[" and text[end + 1] == ":"):
        port = _PORT.match(text, end)
        if port and 0 < int(port[1] or port[2]) < 65536:
            until = port.end()
            if text[until] == "/":
                url = read_path_after(text, f"{value}:{port[1]}", start, until)
                if url:
                    return (url, (kind, value, start, until, ""))
            return ((kind, value, start, until, ""),)
    return ((kind, value, start, end, ""),)


def read_ipv6(text: str, end: int) -> tuple[Found, ...]:
    """Confirm an IPv6 address around `end` (just after `::`, after the eighth group, or after a defanged colon)."""
    back = _V6_BACK.match(text[end - 1 : max(end - 64, 0) : -1])
    start = end - (back.end() if back else 0)
    run = _V6_RUN.match(text, start, min(start + 80, len(text)))
    if run is None:
        return NOTHING
    raw = run[0].rstrip(".")
    if ":::" in raw or raw.count(":") > 9:
        return (("", "", start, run.end(), ""),)
    if not raw.endswith("::"):
        raw = raw.rstrip(":")
    stop = start + len(raw)
    before, after = text[start - 1], text[stop]
    if before.isalnum() or after.isalnum() or before in "_$" or after == "_":
        return NOTHING
    value = _canonical_run(raw)
    if not value:
        return NOTHING
    network = _NETWORK.match(text, stop) if after == "/" else None
    if network and int(network[1]) <= 128:
        return (("ipv6-addr", f"{value}/{int(network[1])}", start, network.end(), ""),)
    return (("ipv6-addr", value, start, stop, ""),)


@lru_cache(maxsize=4096)
def _canonical_run(raw: str) -> str:
    """Write the address that a run of digits and colons stands for, in canonical form; empty when it is none."""
    plain = raw.replace("[:]", ":")
    groups = plain.split(":")
    if len(groups) == 9 and "" not in groups and groups[8].isdigit():  # eight groups and a port
        plain = plain.rpartition(":")[0]
    if "." in plain or not _believable(plain):
        return ""
    return canonical_ipv6(plain)


def _believable(plain: str) -> bool:
    groups = [group for group in plain.split(":") if group]
    if "::" not in plain:
        # Eight pairs of digits are a world-wide name (EUI-64) or part of a fingerprint, not an address.
        return len(groups) == 8 and not all(len(group) == 2 for group in groups)
    if plain in {"::", "::1"}:
        return plain == "::1"
    digits = any(letter.isdigit() for letter in plain)
    return digits and (len(groups) >= 3 or any(len(group) >= 3 for group in groups))

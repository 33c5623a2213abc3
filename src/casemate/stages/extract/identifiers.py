"""Public identifiers: CVE, GHSA, CWE, ATT&CK, autonomous systems, MAC addresses, Windows SIDs and event ids."""

import re

from casemate.stages.extract.checks import is_mac
from casemate.stages.extract.found import NOTHING, Found

_DIGITS = re.compile(r"[0-9]+")
_GHSA = re.compile(r"GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}", re.IGNORECASE)
_SUB = re.compile(r"[./](0[0-9]{2})(?![0-9A-Za-z])")
_ATTACK_WORDS = re.compile(
    r"mitre|att&(?:amp;)?ck|attack\.|\bgroups?\b|\bactors?\b|software|malware|\btools?\b|mitigat|technique|tactic",
    re.IGNORECASE,
)
_ATTACK_TYPES = {"T": "attack-pattern", "S": "malware", "G": "intrusion-set", "M": "course-of-action"}
_SID = re.compile(r"S-1-[0-9]{1,15}(?:-[0-9]{1,10}){1,15}(?![0-9A-Za-z-])", re.IGNORECASE)
_EVENT_ID = re.compile(
    r"(?:[\"']? ?(?:[:=#]|is|of|code)? ?[\"'(\[]{0,2}|(?: Qualifiers=[\"'][0-9]*[\"'])?>)([0-9]{1,5})(?![0-9A-Za-z.])",
    re.IGNORECASE,
)
_MORE_IDS = re.compile(r"(?:, ?(?:and |or )?| and | or | ?/ ?| ?& ?)([0-9]{1,5})(?![0-9A-Za-z.:/-])")
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}")
_AS = re.compile(r"ASN?[ #:]?([0-9]{2,10})(?![0-9A-Za-z])")


def read_cve(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a CVE id; its first four digits of the number end at `end`."""
    start = end - 13
    if text[start + 3] not in "-_ " and text[start + 3].isascii():
        return NOTHING
    if text[start - 1].isalnum() or (text[start + 8] not in "-_" and text[start + 8].isascii()):
        return NOTHING
    more = _DIGITS.match(text, end)
    stop = more.end() if more else end
    year, number = text[start + 4 : start + 8], text[start + 9 : stop]
    if not 1999 <= int(year) <= 2099 or len(number) > 7 or text[stop].isalpha():
        return NOTHING
    return (("vulnerability", f"CVE-{year}-{number}", start, stop, ""),)


def read_ghsa(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a GitHub advisory id."""
    start = end - 19
    if text[start - 1].isalnum() or not _GHSA.fullmatch(text, start, end):
        return NOTHING
    return (("vulnerability", "GHSA" + text[start + 4 : end].lower(), start, end, ""),)


def read_cwe(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a CWE id; the first digit of its number ends at `end`."""
    start = end - 5
    digits = _DIGITS.match(text, end - 1)
    if digits is None or len(digits[0]) > 4 or text[start - 1].isalnum() or text[digits.end()].isalpha():
        return NOTHING
    return (("weakness", f"CWE-{int(digits[0])}", start, digits.end(), ""),)


def read_attack(text: str, end: int) -> tuple[Found, ...]:
    """Confirm an ATT&CK id: techniques by their form, the others only where the line speaks of such things."""
    tactic = text[end - 6] == "T" and text[end - 5] == "A"
    start = end - (6 if tactic else 5)
    if text[end] == "-" and text[end + 1].isalnum():
        return NOTHING
    letter, first = text[start], text[start + 1]
    if tactic:
        return (("x-mitre-tactic", text[start:end], start, end, ""),)
    if first not in "01":
        return NOTHING
    if letter != "T" or first == "0":
        marked = text[start - 1] in "([/" and text[end] in ")]/,"
        low = max(text.rfind("\n", max(start - 100, 0), start), start - 100, 0)
        high = text.find("\n", end, end + 60)
        if not marked and not _ATTACK_WORDS.search(text, low, high if high >= 0 else end + 60):
            return NOTHING
    sub = _SUB.match(text, end) if letter == "T" else None
    if sub:
        return (("attack-pattern", f"{text[start:end]}.{sub[1]}", start, sub.end(), ""),)
    return ((_ATTACK_TYPES[letter], text[start:end], start, end, ""),)


def read_asn(text: str, end: int) -> tuple[Found, ...]:
    """Confirm an autonomous system number, the first two digits of which end at `end`; its value is `AS64496`."""
    start = text.rfind("A", end - 6 if end > 6 else 0, end)
    match = _AS.match(text, start)
    if match is None or match[1][0] == "0" or int(match[1]) > 0xFFFFFFFF:
        return NOTHING
    if text[match.end()] in "-." and text[match.end() + 1].isalnum():
        return NOTHING
    return (("autonomous-system", f"AS{int(match[1])}", start, match.end(), ""),)


def read_mac(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a MAC address in any of its three forms; its value is lower case with colons."""
    cisco = text[end - 5] == "."
    start = end - (14 if cisco else 17)
    if start < 1 or not _MAC.fullmatch(text, start, end):
        return NOTHING
    before, after = text[start - 1], text[end]
    if before.isalnum() or before in ":.-_" or (after in ":.-" and text[end + 1].isalnum()) or after == "_":
        return NOTHING
    raw = text[start:end].lower()
    digits = raw.replace(".", "").replace(":", "").replace("-", "")
    pairs = [digits[at : at + 2] for at in range(0, 12, 2)]
    if not is_mac(pairs, raw[4] if cisco else raw[2]) or (cisco and digits.isdigit()):
        return NOTHING
    return (("mac-addr", ":".join(pairs), start, end, ""),)


def read_sid(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a Windows security identifier, whose `S-1-` and one digit end at `end` (MS-DTYP 2.4.2.1)."""
    start = end - 5
    match = _SID.match(text, start)
    if match is None or text[start - 1].isalnum() or text[start - 1] == "-":
        return NOTHING
    return (("windows-sid", match[0].upper(), start, match.end(), ""),)


def read_event_id(text: str, end: int) -> tuple[Found, ...]:
    """Confirm Windows event ids after their mark, which ends (with one character more) at `end`."""
    match = _EVENT_ID.match(text, end - 1)
    if match is None or not 0 < int(match[1]) < 65536:
        return NOTHING
    found = [("windows-event-id", str(int(match[1])), match.start(1), match.end(1), "")]
    while (more := _MORE_IDS.match(text, found[-1][3])) and 0 < int(more[1]) < 65536:
        found.append(("windows-event-id", str(int(more[1])), more.start(1), more.end(1), ""))
    return tuple(found)

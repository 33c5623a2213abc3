"""Tell text that a person or a program wrote from what chance makes of decoded bytes."""

import codecs
import re
from typing import NamedTuple

_BIGRAMS = (
    "inerreteatonenesstortileseeddecothntalarmeitecioanrotongndettariommaexisranetrliheilceasfiutnaacctllamiccalopapeve"
    "eauselsigedipoadprchnsfossrtoulaemmpunhancrsurdoshnocrptplowultsotwiocaittefhoiposodmicuhiepscabsudamokeupimolopty"
    "eebeniidlsirrruerysoclckifapfablppauiexespbavaofltviumrmwefetupsnulyivrurnffhtciypagrgigqutpeviarcuigioawasaguayfr"
    "xteqdsbuddpumsldmmrdluooobbyccnfegebovyspibobiafsywstcduwh"
)
_COMMON = frozenset(_BIGRAMS[index : index + 2] for index in range(0, len(_BIGRAMS), 2))
"""The 200 letter pairs that carry 88 % of the pairs in security reports, test commands and source code."""

_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_WORDS = re.compile(r"[A-Za-z]{2,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd\ufdd0-\ufdef\ue000-\uf8ff]")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16le"), (codecs.BOM_UTF16_BE, "utf-16be"))
_SAMPLE = 4096

TELLING = re.compile(
    r"""https?://|ftp://|powershell|pwsh|cmd(?:\.exe|\s*/[ck])|\biex\b|invoke-|download(?:string|file|data)|webclient
    |webrequest|wscript|cscript|mshta|rundll32|regsvr32|certutil|bitsadmin|frombase64|fromcharcode|\beval\b|\bexec\b
    |createobject|shellexecute|\.run\b|new-object|start-process|virtualalloc|loadlibrary|getprocaddress|kernel32
    |/bin/(?:ba|z|da)?sh|\bcurl\b|\bwget\b|\bchmod\b|/dev/tcp|/etc/passwd|<script|document\.|activexobject|\bnet\s+user
    |\bwhoami\b|\bschtasks\b|amsi|mimikatz|-executionpolicy|-nop\b|\.exe\b|\.dll\b|\.ps1\b|\.vbs\b|\.hta\b|\.bat\b
    |union\s+select|hkey_|hklm|hkcu|import\s+(?:os|socket|base64|subprocess)|subprocess|socket""",
    re.IGNORECASE | re.VERBOSE,
)
"""Words that say why somebody would hide a text."""


class Reading(NamedTuple):
    """Bytes read as text; `encoding` is a layer name (`utf-16le`), empty for UTF-8 and ASCII."""

    text: str
    encoding: str


def read_text(data: bytes) -> Reading | None:
    """Read bytes as UTF-8 or UTF-16 text, or give None when too much of them is no text.

    Single NUL bytes count as separators (`argv` joined by NUL, as auditd writes it) and become blanks.
    """
    if len(data) < 2:
        return None
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            body = data[len(mark) :].decode(encoding, "replace")
            return Reading(body, "" if encoding == "utf-8" else encoding) if _clean(body) else None
    wide = _wide_encoding(data)
    if wide:
        body = data[: len(data) & ~1].decode(wide, "replace").rstrip("\0")
        return Reading(body, wide) if _clean(body) else None
    data = data.rstrip(b"\0")
    nulls = data.count(b"\0")
    if nulls:
        if nulls * 3 > len(data) or b"\0\0" in data:
            return None
        data = data.replace(b"\0", b" ")
    if len(data.translate(None, _PRINTABLE)) == 0:
        return Reading(data.decode("ascii"), "") if data else None
    try:
        body = codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        if len(data) < 64 or len(data.translate(None, _PRINTABLE)) * 50 > len(data):
            return None
        body = data.decode("latin-1")
    return Reading(body, "") if _clean(body) else None


def _wide_encoding(data: bytes) -> str:
    half = len(data) // 2
    if half < 3:
        return ""
    high, low = data[1 : half * 2 : 2].count(0), data[0 : half * 2 : 2].count(0)
    if high * 10 >= half * 8 and low * 10 <= half:
        return "utf-16le"
    if low * 10 >= half * 8 and high * 10 <= half:
        return "utf-16be"
    return ""


def _clean(text: str) -> bool:
    """Whether at most one character in fifty is a control, private or replacement character."""
    return bool(text) and len(_CONTROL.findall(text, 0, _SAMPLE)) * 50 <= min(len(text), _SAMPLE)


def looks_written(text: str, *, strict: bool = False) -> bool:
    """Whether a text looks written rather than drawn by lot: by its letters and by which letters follow which.

    `strict` is for results chosen out of many tries (a brute-forced key): it wants words or a telling name too.
    """
    sample = text[:_SAMPLE]
    if len(sample) < 4:
        return False
    if TELLING.search(sample):
        return not strict or _share_of_letters(sample) > 0.4
    if _share_of_letters(sample) < 0.5:
        return False
    common, pairs = _common_pairs(sample)
    if strict:
        return pairs >= 12 and common * 10 >= pairs * 8 and " " in sample
    if pairs < 4:
        return len(sample) >= 16 and _share_of_letters(sample) > 0.7 and not strict
    return common * 10 >= pairs * (6 if len(sample) < 64 else 4)


def _share_of_letters(sample: str) -> float:
    return sum(1 for char in sample if char.isalnum() or char.isspace()) / len(sample)


def _common_pairs(sample: str) -> tuple[int, int]:
    common = pairs = 0
    for word in _WORDS.findall(sample.lower()):
        pairs += len(word) - 1
        common += sum(1 for index in range(len(word) - 1) if word[index : index + 2] in _COMMON)
    return common, pairs

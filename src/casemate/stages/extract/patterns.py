"""The anchors: small byte patterns that say where something may stand; what stands there is decided afterwards.

Both engines search the same table over the same bytes, so they find the same. An anchor is a regular expression in the
syntax that hyperscan and `re` share, and for any place where it starts it can end at one place only; what counts is the
set of ends. The text is searched as Latin-1 with `?` for every other character, one byte for one character, between two
line feeds: so offsets in bytes are offsets in text (plus one), and an anchor can ask for a character before and after.
Every anchor begins with a plain character or a class, without a quantifier, which is what lets `re` skip to it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from casemate.stages.extract.tlds import SPECIAL, top_level_domains


class Anchor(NamedTuple):
    """One anchor: `tail` bytes at its end are context; `needs` is a lower-case literal no match can do without."""

    name: str
    regex: str
    tail: int = 0
    caseless: bool = True
    needs: bytes = b""


_WORD_END = r"[^0-9A-Za-z]"
_AFTER_NAME = r"[^0-9A-Za-z_.\xc0-\xff-]"
_TWO = r"[0-9a-f]{2}"


def any_of(words: Iterable[str]) -> str:
    """Write a pattern for exactly these words (letters and digits), as a tree of letters, which compiles small."""
    endings: dict[str, list[str]] = {}
    for word in words:
        endings.setdefault(word[:1], []).append(word[1:])
    shared: dict[str, list[str]] = {}
    for letter in sorted(filter(None, endings)):
        shared.setdefault(any_of(endings[letter]), []).append(letter)
    ways = [(f"[{''.join(letters)}]" if len(letters) > 1 else letters[0]) + rest for rest, letters in shared.items()]
    if not ways:
        return ""
    way = f"(?:{'|'.join(ways)})"
    return f"{way}?" if "" in endings else way


# Short endings exactly, since most dotted words in logs end in none of them; long ones by form, for a small table.
_SHORT = any_of(name for name in {*top_level_domains(), *SPECIAL} if len(name) <= 3)
_SUFFIX = rf"(?:{_SHORT}|[a-z]{{4,18}}|xn--[a-z0-9-]{{2,24}}|[A-Z]{{2,18}})"

ANCHORS: tuple[Anchor, ...] = (
    Anchor("ipv4", r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}[^0-9]", tail=1),
    Anchor("domain", rf"\.{_SUFFIX}{_AFTER_NAME}", tail=1, caseless=False),
    Anchor("domain", rf"\.{_SUFFIX}\.[^0-9A-Za-z]", tail=2, caseless=False),
    Anchor("idn", r"\.[?\xc0-\xff][?\xc0-\xff-]"),
    Anchor("url", r":\\?/\\?/", needs=b"/"),
    Anchor("url", r"[\])}]\\?/\\?/", needs=b"/"),
    Anchor("url", r":[\[({]//?[\])}]", needs=b"/"),
    Anchor("url", r"[a-z\])}*]:\\\\", needs=b":\\\\"),
    Anchor("defanged", r"[\[({<] ?(?:\.|dot|d0t|punto|punkt|,) ?[\])}>]"),
    Anchor("defanged", r"[\[({]\.[a-z0-9]"),
    Anchor("defanged", r"\.[\])}][a-z0-9]"),
    Anchor("defanged", r"\\\.[a-z0-9]", needs=b"\\."),
    Anchor("defanged", r" dot [a-z][a-z]", needs=b" dot "),
    Anchor("defanged-at", r"[\[({] ?(?:@|at) ?[\])}]"),
    Anchor("ipv6", r"::"),
    Anchor("ipv6", r":[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){6}[^0-9a-f]", tail=1),
    Anchor("ipv6", r"\[:\]", needs=b"[:]"),
    Anchor("md5", rf"{_WORD_END}[0-9a-f]{{32}}{_WORD_END}", tail=1),
    Anchor("sha1", rf"{_WORD_END}[0-9a-f]{{40}}{_WORD_END}", tail=1),
    Anchor("sha256", rf"{_WORD_END}[0-9a-f]{{64}}{_WORD_END}", tail=1),
    Anchor("sha512", rf"{_WORD_END}[0-9a-f]{{128}}{_WORD_END}", tail=1),
    Anchor("tlsh", rf"{_WORD_END}[0-9a-f]{{70}}{_WORD_END}", tail=1),
    Anchor("tlsh", rf"{_WORD_END}t1[0-9a-f]{{70}}{_WORD_END}", tail=1, needs=b"t1"),
    Anchor("ssdeep", r"[0-9]:[a-z0-9/+]{6,64}:[a-z0-9/+]{6}"),
    Anchor("cve", r"cve[^a-z0-9][0-9]{4}[^a-z0-9][0-9]{4}", needs=b"cve"),
    Anchor("ghsa", r"ghsa-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}[^0-9a-z]", tail=1, needs=b"ghsa-"),
    Anchor("cwe", r"cwe[- ?:][0-9]", needs=b"cwe"),
    Anchor("attack", r"[^A-Za-z0-9_-][TSGM][0-9]{4}[^0-9A-Za-z_]", tail=1, caseless=False),
    Anchor("attack", r"[^A-Za-z0-9_-]TA0[0-9]{3}[^0-9A-Za-z_]", tail=1, caseless=False, needs=b"ta0"),
    Anchor("unix-path", r"[\s\"'=(:;,|\[<>`\x80-\xff?]/[a-z0-9_.%@~+-]+/"),
    Anchor("unix-path", r"[\s\"'=(:;,|\[<>`]~/[a-z0-9_.%@~+-]", needs=b"~/"),
    Anchor("windows-path", r"[^0-9A-Za-z][a-z]:\\", needs=b":\\"),
    Anchor("windows-path", r"%[a-z_()0-9]{3,30}%\\", needs=b"%\\"),
    Anchor("windows-path", r"[^\\:0-9a-z]\\\\[a-z0-9.?]", needs=b"\\\\"),
    Anchor("registry", r"hkey_[a-z]", needs=b"hkey_"),
    Anchor("registry", r"[^0-9a-z]hk(?:lm|cu|cr|u|cc|ey):?\\", needs=b"hk"),
    Anchor("registry", r"\\registry\\(?:machine|user)\\", needs=b"\\registry"),
    Anchor("mutex", r"mutex", needs=b"mutex"),
    Anchor("mutex", r"mutant", needs=b"mutant"),
    Anchor("user-agent", r"mozilla/[0-9]", needs=b"mozilla/"),
    Anchor("marked-agent", r"user[-_ ]?agent", needs=b"agent"),
    Anchor("asn", r"[^0-9A-Za-z_]ASN?[ #:]?[0-9][0-9]", caseless=False),
    Anchor("mac", rf":{_TWO}:{_TWO}:{_TWO}:{_TWO}:{_TWO}{_WORD_END}", tail=1),
    Anchor("mac", rf"-{_TWO}-{_TWO}-{_TWO}-{_TWO}-{_TWO}{_WORD_END}", tail=1),
    Anchor("mac", rf"\.[0-9a-f]{{4}}\.[0-9a-f]{{4}}{_WORD_END}", tail=1),
    Anchor("bitcoin", r"[^0-9A-Za-z][13][1-9A-HJ-NP-Za-km-z]{25}", caseless=False),
    Anchor("bech32", r"[^0-9A-Za-z]bc1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{11}", needs=b"bc1"),
    Anchor("ethereum", rf"{_WORD_END}0x[0-9a-f]{{40}}{_WORD_END}", tail=1, needs=b"0x"),
    Anchor("monero", r"[^0-9A-Za-z][48][1-9A-HJ-NP-Za-km-z]{94}", caseless=False),
    Anchor(
        "ja4",
        r"[^0-9a-z][tqd][0-9][0-9s][di][0-9]{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}[^0-9a-z]",
        tail=1,
        needs=b"_",
    ),
    Anchor("sid", r"s-1-[0-9]", needs=b"s-1-"),
    Anchor("event-id", r"event[-_ ]?ids?[^a-z0-9]", needs=b"event"),
    Anchor("event-id", r"eventcode[^a-z0-9]", needs=b"eventcode"),
)
"""Where to look. Order matters only for anchors that end at the same place: the earlier is read first."""

KIND_BITS = 6
KIND_MASK = (1 << KIND_BITS) - 1

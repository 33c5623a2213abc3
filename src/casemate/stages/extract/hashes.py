"""File hashes, TLS fingerprints and wallets: fixed alphabets, told apart by length, mark and checksum."""

import re

from casemate.stages.extract.checks import is_bitcoin_base58, is_bitcoin_bech32, is_ethereum, is_monero, is_ssdeep
from casemate.stages.extract.domains import canonical_domain
from casemate.stages.extract.found import NOTHING, Found, Reader
from casemate.stages.extract.refang import ANY_DOT, refang_host

_NAME = re.compile(rf"[\w-]+(?:{ANY_DOT}[\w-]+)+")
_MARK = re.compile(
    r"\b(ja3s?|imp(?:ort)?[-_ ]?hash)\b[^0-9A-Za-z]{0,4}(?:hash|md5|fingerprint|digest|is)?[^0-9A-Za-z]{0,6}\Z",
    re.IGNORECASE,
)
_SSDEEP = re.compile(r"(?<![0-9A-Za-z/+:])([0-9]{1,10}):([A-Za-z0-9/+]{6,64}):([A-Za-z0-9/+]{6,64})(?![A-Za-z0-9/+:=])")


def _part_of_name(text: str, start: int) -> bool:
    """Say whether the hash is a label of a domain, and so no hash of a file."""
    first = start
    while start - first < 200 and (text[first - 1].isalnum() or text[first - 1] in ".-"):
        first -= 1
    name = _NAME.match(text, first)
    return name is not None and name[0].count(".") > 1 and bool(canonical_domain(refang_host(name[0]), trusted=True))


def hash_reader(name: str, length: int) -> Reader:
    """Make the reader of one hash by its STIX name and its length in hexadecimal digits."""

    def read(text: str, end: int) -> tuple[Found, ...]:
        start = end - length
        value = text[start:end].lower()
        if value.isdigit() or len(set(value)) < 5:
            return NOTHING
        if (text[end] == "." or text[start - 1] in ".-") and _part_of_name(text, start):
            return NOTHING
        if length == 32:
            mark = _MARK.search(text, max(start - 32, 0), start)
            if mark and mark[1][0] in "jJ":
                return (("tls-fingerprint", value, start, end, ""),)
            if mark:
                return (("file", value, start, end, "IMPHASH"),)
        return (("file", value, start, end, name),)

    return read


def read_tlsh(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a TLSH of 70 digits, with or without its version mark `T1`; its value carries the mark."""
    start = end - 70
    if text[start - 2 : start].upper() == "T1":
        start -= 2
    digits = text[end - 70 : end].upper()
    return (("file", "T1" + digits, start, end, "TLSH"),) if len(set(digits)) > 1 else NOTHING


def read_ssdeep(text: str, end: int) -> tuple[Found, ...]:
    """Confirm an ssdeep hash around `end`, which lies in its second part."""
    for match in _SSDEEP.finditer(text, max(end - 96, 0), min(end + 72, len(text))):
        if match.start() < end <= match.end():
            return (
                (("file", match[0], match.start(), match.end(), "SSDEEP"),) if is_ssdeep(*match.groups()) else NOTHING
            )
    return NOTHING


def read_ja4(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a JA4 fingerprint of 36 characters."""
    return (("tls-fingerprint", text[end - 36 : end].lower(), end - 36, end, ""),)


_TOKEN = re.compile(r"[0-9A-Za-z]{1,110}")


def _token(text: str, start: int) -> tuple[str, int]:
    match = _TOKEN.match(text, start)
    assert match is not None  # the anchor has seen some of it
    return match[0], match.end()


def read_bitcoin(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a Base58Check address, the first 26 characters of which end at `end`, by its checksum."""
    start = end - 26
    token, end = _token(text, start)
    return (("cryptocurrency-wallet", token, start, end, ""),) if is_bitcoin_base58(token) else NOTHING


def read_bech32(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a `bc1` address, 14 characters of which end at `end`, by its checksum; its value is lower case."""
    start = end - 14
    token, end = _token(text, start)
    return (("cryptocurrency-wallet", token.lower(), start, end, ""),) if is_bitcoin_bech32(token) else NOTHING


def read_ethereum(text: str, end: int) -> tuple[Found, ...]:
    """Confirm an Ethereum address, by EIP-55 where it is written in both cases."""
    start = end - 42
    token = text[start:end]
    return (("cryptocurrency-wallet", token, start, end, ""),) if is_ethereum(token) else NOTHING


def read_monero(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a Monero address, the first 95 characters of which end at `end`, by its checksum."""
    start = end - 95
    token, end = _token(text, start)
    return (("cryptocurrency-wallet", token, start, end, ""),) if is_monero(token) else NOTHING

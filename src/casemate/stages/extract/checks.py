"""Checks that tell a real identifier from a run of letters: checksums and ranges."""

import hashlib
import ipaddress
import re
from functools import lru_cache
from itertools import pairwise

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUE = {letter: value for value, letter in enumerate(_BASE58)}
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_MONERO_BLOCK_BYTES = {2: 1, 3: 2, 5: 3, 6: 4, 7: 5, 9: 6, 10: 7, 11: 8}
_MONERO_NETWORKS = frozenset({18, 19, 42})
_SSDEEP_BLOCK_SIZES = frozenset(3 << power for power in range(31))


def is_ipv4(text: str) -> bool:
    """Check four decimal octets without leading zeros; a first octet of 0 only in `0.0.0.0`."""
    octets = text.split(".")
    if len(octets) != 4:
        return False
    for octet in octets:
        if not octet.isascii() or not octet.isdigit() or len(octet) > 3 or int(octet) > 255:
            return False
        if octet[0] == "0" and octet != "0":
            return False
    return octets[0] != "0" or text == "0.0.0.0"  # noqa: S104 - compared, never bound


def canonical_ipv6(text: str) -> str:
    """Write an IPv6 address as RFC 5952 wants it; empty when it is none."""
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return ""


def _decode_base58(text: str) -> int:
    number = 0
    for letter in text:
        number = number * 58 + _BASE58_VALUE[letter]
    return number


@lru_cache(maxsize=4096)
def is_bitcoin_base58(text: str) -> bool:
    """Check the version (0 or 5) and the Base58Check checksum of a Bitcoin address."""
    if any(letter not in _BASE58_VALUE for letter in text):
        return False
    number = _decode_base58(text)
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25, "big")
    if len(text) - len(text.lstrip("1")) != len(raw) - len(raw.lstrip(b"\0")):
        return False
    digest = hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()
    return raw[0] in {0, 5} and digest[:4] == raw[21:]


def _bech32_checksum(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATOR):
            if top >> bit & 1:
                check ^= generator
    return check


@lru_cache(maxsize=4096)
def is_bitcoin_bech32(text: str) -> bool:
    """Check a `bc1` address: Bech32 for witness version 0 (BIP 173), Bech32m for the others (BIP 350)."""
    lowered = text.lower()
    if text not in {lowered, text.upper()} or not lowered.startswith("bc1"):
        return False
    body = lowered[3:]
    if not 11 <= len(body) <= 87 or any(letter not in _BECH32 for letter in body):
        return False
    data = [_BECH32.index(letter) for letter in body]
    prefix = [ord(letter) >> 5 for letter in "bc"] + [0] + [ord(letter) & 31 for letter in "bc"]
    version, size = data[0], (len(data) - 7) * 5 // 8
    if version > 16 or not 2 <= size <= 40 or (version == 0 and size not in {20, 32}):
        return False
    return _bech32_checksum(prefix + data) == (1 if version == 0 else 0x2BC830A3)


def _keccak256(data: bytes) -> bytes:
    from Crypto.Hash import keccak

    return keccak.new(digest_bits=256, data=data).digest()


@lru_cache(maxsize=4096)
def is_ethereum(text: str) -> bool:
    """Check `0x` and 40 hexadecimal digits; where both cases are used, they must be those of EIP-55."""
    body = text[2:]
    if body in {body.lower(), body.upper()}:
        return len(set(body.lower())) > 4
    digest = _keccak256(body.lower().encode("ascii")).hex()
    return all(
        (letter.isupper() == (int(nibble, 16) >= 8))
        for letter, nibble in zip(body, digest, strict=False)
        if letter.isalpha()
    )


@lru_cache(maxsize=4096)
def is_monero(text: str) -> bool:
    """Check a Monero main-net address (standard, integrated or sub-address) by its Keccak checksum."""
    if any(letter not in _BASE58_VALUE for letter in text):
        return False
    raw = bytearray()
    for first in range(0, len(text), 11):
        block = text[first : first + 11]
        size = _MONERO_BLOCK_BYTES.get(len(block), 0)
        number = _decode_base58(block)
        if not size or number >= 1 << (8 * size):
            return False
        raw += number.to_bytes(size, "big")
    body, checksum = bytes(raw[:-4]), bytes(raw[-4:])
    return len(body) in {65, 73} and body[0] in _MONERO_NETWORKS and _keccak256(body)[:4] == checksum


def is_ssdeep(block_size: str, first: str, second: str) -> bool:
    """Check the parts of an ssdeep hash: a block size of 3 * 2^n, parts of at most 64 and no long repeats."""
    if (
        int(block_size) not in _SSDEEP_BLOCK_SIZES
        or len(first) > 64
        or len(second) > 64
        or len(second) > len(first) + 4
    ):
        return False
    return not re.search(r"(.)\1\1\1", first + "/" + second)


def is_mac(pairs: list[str], separator: str) -> bool:
    """Check six pairs of hexadecimal digits that are neither all equal-looking dates nor a count."""
    if separator == "-" and all(pair.isdigit() for pair in pairs):
        year_month_day = 1 <= int(pairs[1]) <= 12 and 1 <= int(pairs[2]) <= 31
        time_of_day = int(pairs[3]) < 24 and int(pairs[4]) < 60 and int(pairs[5]) < 60
        return not (year_month_day and time_of_day and pairs[0] != "00")
    numbers = [int(pair, 16) for pair in pairs]
    return not all(later - earlier == 1 for earlier, later in pairwise(numbers)) or numbers[0] == 0

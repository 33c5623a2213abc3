"""Names made from content: SHA-256 digests of bytes and of plain values."""

import hashlib
import json
from typing import NewType

Digest = NewType("Digest", str)
"""A SHA-256 in 64 lower-case hexadecimal digits (FIPS 180-4)."""


def digest_bytes(data: bytes) -> Digest:
    """Name these bytes by their SHA-256."""
    return Digest(hashlib.sha256(data).hexdigest())


def canonical_json(value: object) -> bytes:
    """Write a plain value (dict, list, str, number, bool, None) so that equal values give equal bytes.

    Keys are sorted, no spaces, UTF-8, no NaN; `ValueError` or `TypeError` for what JSON cannot carry.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8", "surrogatepass")


def digest_value(value: object) -> Digest:
    """Name a plain value by the SHA-256 of its canonical JSON."""
    return digest_bytes(canonical_json(value))

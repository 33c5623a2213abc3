"""How bytes and text are kept in a column: compressed, and always readable back."""

import re

import zstandard

from casemate.core.errors import RecordFailed

_SURROGATE = re.compile("[\ud800-\udfff]")


def pack(data: bytes) -> bytes:
    """Compress bytes for a column (zstd, RFC 8878)."""
    return zstandard.ZstdCompressor(level=3).compress(data)


def unpack(data: bytes, what: str) -> bytes:
    """Give back what `pack` was given; `RecordFailed` naming `what` when the column is damaged."""
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise RecordFailed(
            f"{what} is damaged in the store: {error}", way_out="bring the store back from a backup"
        ) from error


def storable(text: str) -> str:
    """Replace what not every database can carry, half surrogates and NUL, by U+FFFD, one for one: offsets stay."""
    carried = text if text.isascii() else encode(text).decode("utf-8")
    return carried.replace("\x00", "\ufffd")


def encode(text: str) -> bytes:
    """Give the UTF-8 of `storable(text)`, trying first because almost every text has one."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode("utf-8")

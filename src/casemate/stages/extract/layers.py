"""Bytes out of bytes: compression, magic numbers, printable strings and single-byte XOR, all bounded."""

import bz2
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator

from casemate.stages.extract.plausible import TELLING, looks_written, read_text

_STRINGS = re.compile(rb"[\x20-\x7e\t]{5,2000}")
_WIDE_STRINGS = re.compile(rb"(?:[\x20-\x7e]\x00){5,2000}")
_STRINGS_CHARS = 200_000
_XOR_BYTES = 64 * 1024
_XOR_PROBE = 256
_INFLATE_AT_LEAST = 24
_STRING_BYTES = bytes(range(0x20, 0x7F)) + b"\0\t\r\n"
_TABLES = tuple(bytes(value ^ key for value in range(256)) for key in range(256))


def _inflate(data: bytes, most: int, window: int) -> bytes:
    """Inflate at most `most` bytes (RFC 1950, 1951, 1952); what came out before damage is kept."""
    engine = zlib.decompressobj(window)
    try:
        return engine.decompress(data, most)
    except zlib.error:
        return _inflate_by_steps(data, most, window)


def _inflate_by_steps(data: bytes, most: int, window: int) -> bytes:
    engine, out = zlib.decompressobj(window), bytearray()
    try:
        for index in range(0, len(data), 64):
            if len(out) >= most:
                break
            out += engine.decompress(data[index : index + 64], most - len(out))
    except zlib.error:
        return bytes(out)
    return bytes(out)


def _unzip_names(data: bytes, most: int) -> bytes:
    """List a zip's members and the text of small ones; the archive itself is never written anywhere."""
    out = bytearray()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist()[:50]:
                out += member.filename.encode("utf-8", "replace") + b"\n"
                room = most - len(out)
                if room <= 0:
                    break
                if member.flag_bits & 1 or member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                    continue
                with archive.open(member) as stream:
                    out += stream.read(min(room, 65536)) + b"\n"
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, UnicodeDecodeError):
        return bytes(out)
    return bytes(out)


def _unpack_bz2(data: bytes, most: int) -> bytes:
    try:
        return bz2.BZ2Decompressor().decompress(data, most)
    except (OSError, ValueError):
        return b""


def _unpack_xz(data: bytes, most: int) -> bytes:
    try:
        return lzma.LZMADecompressor(memlimit=64 * 1024 * 1024).decompress(data, most)
    except (lzma.LZMAError, ValueError, MemoryError):
        return b""


PACKERS: dict[bytes, tuple[str, Callable[[bytes, int], bytes]]] = {
    b"\x1f\x8b\x08": ("gzip", lambda data, most: _inflate(data, most, 31)),
    b"\x78\x01": ("zlib", lambda data, most: _inflate(data, most, 15)),
    b"\x78\x5e": ("zlib", lambda data, most: _inflate(data, most, 15)),
    b"\x78\x9c": ("zlib", lambda data, most: _inflate(data, most, 15)),
    b"\x78\xda": ("zlib", lambda data, most: _inflate(data, most, 15)),
    b"BZh": ("bzip2", _unpack_bz2),
    b"\xfd7zXZ\x00": ("xz", _unpack_xz),
}
"""Compressions by the first bytes of what they made."""

MAGICS: dict[bytes, str] = {
    b"MZ": "pe",
    b"\x7fELF": "elf",
    b"\xcf\xfa\xed\xfe": "mach-o",
    b"\xce\xfa\xed\xfe": "mach-o",
    b"PK\x03\x04": "zip",
    b"%PDF-": "pdf",
    b"{\\rtf": "rtf",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "ole",
    b"Rar!\x1a\x07": "rar",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"MSCF\x00\x00\x00\x00": "cab",
    b"L\x00\x00\x00\x01\x14\x02\x00": "lnk",
    b"\xfc\xe8\x82\x00\x00\x00": "shellcode",
    b"\xfc\xe8\x89\x00\x00\x00": "shellcode",
    b"\xfc\xe8\x8f\x00\x00\x00": "shellcode",
    b"\xfc\x48\x83\xe4\xf0": "shellcode",
}
"""Kinds of binary content worth telling a person about, by their first bytes."""


def unpack(data: bytes, most: int) -> tuple[str, bytes] | None:
    """Undo one compression if the bytes begin with one's magic: its layer name and at most `most` bytes, or None."""
    for magic, (name, engine) in PACKERS.items():
        if data.startswith(magic):
            out = engine(data, most)
            return (name, out) if out else None
    return None


def inflate_raw(data: bytes, most: int) -> bytes:
    """Undo a raw deflate stream (RFC 1951), which has no magic; empty unless it gives text or a known binary."""
    if len(data) < _INFLATE_AT_LEAST:
        return b""
    engine = zlib.decompressobj(-15)
    try:
        out = engine.decompress(data, min(most, 4096))
        if not out or len(out) < len(data) // 2:
            return b""
        if binary_kind(out) == "" and not _is_text(out):
            return b""
        return out + engine.decompress(engine.unconsumed_tail, most - len(out)) if most > len(out) else out
    except zlib.error:
        return b""


def _is_text(data: bytes) -> bool:
    reading = read_text(data[:2048])
    return reading is not None and len(reading.text) >= 8 and looks_written(reading.text)


def binary_kind(data: bytes) -> str:
    """Name the kind of binary content these bytes begin, empty when none is known.

    `MZ` alone is two common letters: a PE also needs its header offset, its stub text or its size.
    """
    for magic, kind in MAGICS.items():
        if data.startswith(magic):
            return kind if kind != "pe" or _is_pe(data) else ""
    return ""


def _is_pe(data: bytes) -> bool:
    if b"This program" in data[:512]:
        return True
    if len(data) < 64:
        return False
    offset = int.from_bytes(data[60:64], "little")
    return 64 <= offset < 4096 and (data[offset : offset + 4] == b"PE\0\0" or (len(data) <= offset and b"\0" in data))


def strings_of(data: bytes) -> str:
    """List the printable strings (ASCII and UTF-16LE, five characters or more) of binary content, one a line."""
    found = [piece.decode("ascii") for piece in _STRINGS.findall(data)]
    found += [piece.decode("utf-16le") for piece in _WIDE_STRINGS.findall(data)]
    return "\n".join(found)[:_STRINGS_CHARS]


def list_zip(data: bytes, most: int) -> str:
    """List the names in a zip and what its small members say, as one text."""
    return strings_of(_unzip_names(data, most))


def apply_key(data: bytes, key: bytes) -> bytes:
    """XOR bytes with a repeated key."""
    if len(key) == 1:
        return data.translate(_TABLES[key[0]])
    size = len(data)
    pad = (key * (size // len(key) + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")


def undo_xor(data: bytes, keys: tuple[bytes, ...], *, all_keys: bool) -> tuple[str, bytes] | None:
    """Undo XOR with one of the given keys, else (`all_keys`) with whichever single byte gives convincing text or a PE.

    The layer name carries the key (`xor:0x23`). None when nothing convinces.
    """
    if len(data) < 8 or len(data) > _XOR_BYTES * 16:
        return None
    for key in keys:
        if any(key):
            out = apply_key(data, key)
            if binary_kind(out) or _is_text(out):
                return f"xor:0x{key.hex()}", out
    if not all_keys or len(data) < 24 or len(data) > _XOR_BYTES or _is_string_table(data):
        return None
    for value in _likely_keys(data):
        probe = apply_key(data[:_XOR_PROBE], bytes((value,)))
        if _convinces(probe, data, value):
            return f"xor:0x{value:02x}", apply_key(data, bytes((value,)))
    return None


def _is_string_table(data: bytes) -> bool:
    """Whether bytes are plain strings kept apart by NUL, as in a piece of a program: there is no key to look for."""
    probe = data[:_XOR_PROBE]
    return 0 in probe and len(probe.translate(None, _STRING_BYTES)) * 10 <= len(probe)


def _likely_keys(data: bytes) -> Iterator[int]:
    """Yield the bytes that would make the commonest byte a blank, a vowel or a NUL, and the one that makes `MZ`."""
    probe = data[:_XOR_PROBE]
    common = sorted(set(probe), key=lambda value: (-probe.count(value), value))[:3]
    tried = {0}
    uneven = probe.count(common[0]) >= max(4, len(probe) // 16)  # text repeats its blanks and vowels, chance does not
    if data[0] ^ ord("M") == data[1] ^ ord("Z"):
        yield data[0] ^ ord("M")
    for value in common if uneven else ():
        for letter in b" eta0\0o/iEA":
            key = value ^ letter
            if key not in tried:
                tried.add(key)
                yield key


def _convinces(probe: bytes, data: bytes, value: int) -> bool:
    if probe[:2] == b"MZ":
        return _is_pe(apply_key(data[:4096], bytes((value,))))
    reading = read_text(probe)
    return reading is not None and (
        looks_written(reading.text, strict=True) or (bool(TELLING.search(reading.text)) and looks_written(reading.text))
    )

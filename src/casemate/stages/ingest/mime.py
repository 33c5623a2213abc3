"""The grammar of mail: header fields, parameters, encoded words and body encodings (RFC 5322, 2045, 2047, 2231).

Everything here works on byte positions, so that text leads back to what was received, and nothing here raises.
"""

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n?", re.MULTILINE)
HEADER_END = re.compile(rb"(?:\A|\n)\r?\n")
PARAMETER = re.compile(r';\s*([^\s=;*]+)(\*\d{1,2})?(\*?)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=(?:\s+(?==\?[^?\s]{1,60}\?[bBqQ]\?))?")
CHARSETS = re.compile(
    r"(?:us-)?ascii|utf-?(?:7|8|16(?:[-_]?[lb]e)?)|iso[-_]8859[-_]\d{1,2}|(?:windows-|cp)\d{3,4}|koi8-[ru]|latin-?\d"
    r"|gb2312|gbk|gb18030|big5(?:hkscs)?|hz|shift[-_]jis|sjis|euc[-_](?:jp|kr)|iso-2022-(?:jp|kr)|mac(?:intosh|roman)?"
    r"|tis-620",
    re.IGNORECASE,
)
VALUE_CHARS = 16384  # of a field whose parameters are looked at
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


class Heading(NamedTuple):
    """The fields of one entity that say what its body is; `body` is where that begins."""

    body: int
    type: str
    encoding: str
    charset: str
    boundary: bytes
    filename: str
    attached: bool


def fields(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Yield each header field as (start, end, lower-case name, value as received)."""
    for match in FIELD.finditer(data, begin, end):
        yield match.start(), match.end(), match.group(1).lower(), match.group(2)


def header_end(data: bytes, begin: int, end: int) -> tuple[int, int]:
    """Return where the header ends and where the body begins; there may be no body."""
    if data[begin : begin + 1] == b"\n" or data[begin : begin + 2] == b"\r\n":
        return begin, begin + (1 if data[begin : begin + 1] == b"\n" else 2)
    match = HEADER_END.search(data, begin, end)
    return (end, end) if match is None else (min(match.start() + 1, end), match.end())


def heading(data: bytes, begin: int, end: int, *, default: str = "text/plain") -> Heading:
    """Read the heading of the entity in `data[begin:end]`."""
    stop, body = header_end(data, begin, end)
    found: dict[bytes, str] = {}
    for _, _, name, value in fields(data, begin, stop):
        if name.startswith(b"content-") and name not in found:
            found[name] = value[:VALUE_CHARS].decode("utf-8", "replace").strip()
    kind, parameters = parameters_of(found.get(b"content-type", default))
    disposition, more = parameters_of(found.get(b"content-disposition", ""))
    return Heading(
        body,
        kind or default,
        found.get(b"content-transfer-encoding", "").split(";")[0].strip().lower(),
        parameters.get("charset", ""),
        parameters.get("boundary", "").encode("utf-8", "replace"),
        decode_words(more.get("filename", "") or parameters.get("name", "")),
        disposition == "attachment",
    )


def parameters_of(value: str) -> tuple[str, dict[str, str]]:
    """Split a field such as `text/plain; charset=utf-8` into its lower-case value and its parameters (RFC 2231)."""
    pieces: dict[str, list[tuple[int, str]]] = {}
    for name, number, extended, raw in PARAMETER.findall(value):
        text = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') and raw.endswith('"') else raw.strip()
        if extended:
            text = _percent(text, first=number in {"", "*0"})
        pieces.setdefault(name.lower(), []).append((int(number[1:] or 0) if number else 0, text))
    joined = {name: "".join(text for _, text in sorted(parts)) for name, parts in pieces.items()}
    return value.split(";", maxsplit=1)[0].strip().lower(), joined


def _percent(text: str, *, first: bool) -> str:
    charset, rest = "utf-8", text
    if first and text.count("'") >= 2:
        charset, _, rest = text.split("'", 2)
    return decode(unquote_to_bytes(rest), charset)


def decode_words(text: str) -> str:
    """Undo encoded words such as `=?utf-8?B?...?=` (RFC 2047); white space between two of them is theirs."""
    return ENCODED_WORD.sub(lambda match: _word(*match.group(1, 2, 3)), text) if "=?" in text else text


def _word(charset: str, kind: str, text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    data = decode_base64(raw) if kind in "bB" else binascii.a2b_qp(raw, header=True)
    return decode(data, charset.split("*", maxsplit=1)[0])


def decode(data: bytes, charset: str) -> str:
    """Decode bytes in a charset as mail names it; UTF-8, else Latin-1, when it names none that we know."""
    if CHARSETS.fullmatch(charset):
        try:
            return data.decode(charset, "replace")
        except (LookupError, UnicodeError):
            pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def decode_base64(data: bytes) -> bytes:
    """Decode base64 leniently: what is no base64 is passed over, and an odd end is left out."""
    clean = NOT_BASE64.sub(b"", data)
    whole = len(clean) - (1 if len(clean) % 4 == 1 else 0)
    return binascii.a2b_base64(clean[:whole] + b"=" * (-whole % 4))


def decode_body(data: bytes, encoding: str) -> bytes:
    """Undo a content-transfer-encoding; unknown ones are left as they are."""
    if encoding == "base64":
        return decode_base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return data

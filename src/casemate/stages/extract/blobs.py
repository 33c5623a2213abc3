"""Find runs of encoded characters (base64, hex, escapes, number lists) and undo that one encoding.

Where to look is decided on a byte mask of the text, one byte a character, so that plain log text costs little: a
translation and a few substring searches. Only what passes that is looked at by a regular expression.
"""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from casemate.stages.extract.marks import MarkFinder
from casemate.stages.extract.plausible import TELLING


class Blob(NamedTuple):
    """One encoded run: characters `start..end` of the text, the encoding's layer name and what it decodes to.

    `sure` is true when the words around it say that it is encoded (`-enc`, `FromBase64String`), so that short or odd
    content is believed.
    """

    start: int
    end: int
    layer: str
    data: bytes
    sure: bool


_B64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_HEX = b"0123456789abcdefABCDEF"
_RUN_MASK = bytes(65 if value in _B64 else 32 for value in range(256))
_HEX_MASK = bytes(104 if value in _HEX else value for value in range(256))
_SPACES = b" \t\r\n"
_RUN = 24
_MOST_CHARS = 8 * 1024 * 1024

_FIRST_OF_TEXT = "IJKLMNOPQRSTUVWXYZabcdefCDP"
"""What the first character of a base64 quad can be when it encodes printable ASCII (0x20-0x7e, tab, CR, LF) or BOMs."""
_MAGIC_B64 = (
    "TV",
    "H4sI",
    "eJ",
    "eA",
    "eN",
    "f0VM",
    "UEsD",
    "QlpoO",
    "/Td6",
    "JVBE",
    "0M8R",
    "/OiC",
    "/OiJ",
    "/EiD",
    "//4",
)
_MAGIC_HEX = ("4d5a", "1f8b08", "78", "7f454c46", "504b0304", "425a68", "fce8", "fc48", "fffe", "d0cf11e0", "25504446")

_NEXT_LITERAL = re.compile(
    r"""(?:\\[rnt]|\\\\[rn]){1,4}+(?=[A-Za-z0-9+/])
    |["'][ \t]*+(?:[+&.,\\]|\+=)?+[ \t]*+(?:_?\r?\n[ \t]*+)?+(?:[+&.][ \t]*+)?+
     (?:[$\w.]{1,40}+[ \t]*+(?:\+=|=[ \t]*+[$\w.]{1,40}+[ \t]*+[+&.])[ \t]*+)?+["']""",
    re.VERBOSE,
)
_NEXT_LINE = re.compile(r"[ \t]*+(?:`n)?\r?\n(?:[ \t>|#*]|//(?= )){0,40}+")
_B64_RUN = re.compile(r"[A-Za-z0-9+/_-]++")
_PADDING = re.compile(r"(?:=|%3[Dd]){0,2}")

_SURE: dict[bytes, re.Pattern[str]] = {
    mark: re.compile(pattern, re.IGNORECASE)
    for mark, pattern in {
        b"-e": r"(?<=[\s\"'`^,])-e(?:c|n?|nc[odecman]{0,12})[:\s]{1,4}[\"']?",
        b"/e": r"(?<=[\s\"'`^])/e(?:c|n?|nc[odecman]{0,12})[:\s]{1,4}[\"']?",
        b"frombase64": r"frombase64(?:string)?[\s(\[{]{1,6}[\"'`]{1,3}",
        b"base64": r"base64_?decode[\s(]{1,4}b?[\"']{1,3}|base64\s{1,4}-{1,2}d[a-z]{0,6}\s{0,4}<<<\s{0,4}[\"']?",
        b"b64decode": r"b64decode[\s(]{1,4}b?[\"']{1,3}",
        b"decode64": r"decode64[\s(]{1,4}[\"']{1,3}",
        b"atob(": r"atob\(\s{0,4}[\"'`]",
        b"ion: basic ": r"ion: basic ",
        b"echo ": r"echo\s{1,4}(?:-n\s{1,4})?[\"']?"
        r"(?=[A-Za-z0-9+/=]{4,4000}+[\"']?\s{0,4}\|\s{0,4}(?:\S{0,40}/)?(?:base64|openssl)\b)",
    }.items()
}
"""Words before a run that say it is base64: a cheap substring of the lower-case text, and what must stand there."""
_SURE_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}+={0,2}")
_HEX_MARKS = (b"proctitle=", b" a0=", b" a1=", b" a2=", b" a3=", b"cmd=", b" data=")
_SHORT_HEX = re.compile(r" ?(?:proctitle|a\d{1,2}|cmd|data)=([0-9A-F]{6,}+)(?![0-9A-Za-z])", re.IGNORECASE)
_JWT = re.compile(r"(?<![A-Za-z0-9_.-])(eyJ[A-Za-z0-9_-]{8,}+)\.(eyJ[A-Za-z0-9_-]{4,}+)(?:\.[A-Za-z0-9_-]*+)?")
_JWT_MARK = "eyJ"

_CHAR_MARKS = (b"[char", b"char]", b"charcode", b"chr(", b".split(", b"-split", b"bxor", b"byte[")
_FINDER = MarkFinder((*_SURE, *_HEX_MARKS, *_CHAR_MARKS))


def find_blobs(text: str) -> Iterator[Blob]:
    """Yield every encoded run in the text, kind by kind; runs of different kinds may overlap."""
    data = text.encode("latin-1", "replace")
    lower = data.lower()
    places = _FINDER.places(lower)
    yield from _sure_blobs(text, places)
    if _JWT_MARK in text:
        yield from _jwt_blobs(text)
    yield from _run_blobs(text, data.translate(_RUN_MASK))
    hexed = lower.translate(_HEX_MASK)
    escapes = _ESCAPE_FINDER.places(hexed)
    for mark, pattern, layer, decode in _ESCAPES:
        after = 0
        for at in escapes.get(mark, ()):
            found = pattern.match(text, at) if at >= after else None
            out = decode(found.group()) if found else b""
            if found and out:
                after = found.end()
                yield Blob(found.start(), found.end(), layer, out, sure=False)
    if b"%hh" in hexed:
        yield from _url_blobs(text)
    yield from _list_blobs(text, data, hexed, places)


# --- base64 and hex runs ----------------------------------------------------------------------------------------


def decode_base64(run: str) -> bytes:
    """Decode standard or URL-safe base64 (RFC 4648), with or without padding; a dangling character is dropped."""
    clean = run.replace("-", "+").replace("_", "/").rstrip("=")
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    try:
        return base64.b64decode(clean + "=" * (-len(clean) % 4))
    except (binascii.Error, ValueError):
        return b""


def _sure_blobs(text: str, places: dict[bytes, list[int]]) -> Iterator[Blob]:
    for mark, pattern in _SURE.items():
        after = 0
        for at in places.get(mark, ()):
            before = pattern.match(text, at) if at >= after else None
            found = _SURE_RUN.match(text, before.end()) if before else None
            if found is None:
                continue
            after = found.end()
            out = decode_base64(found.group())
            if out and (mark[1:] != b"e" or _is_wide(out)):
                yield Blob(found.start(), found.end(), "base64", out, sure=True)
    for mark in _HEX_MARKS:
        for at in places.get(mark, ()):
            found = _SHORT_HEX.match(text, at)
            if found and len(found.group(1)) % 2 == 0 and not found.group(1).isdigit():
                yield Blob(found.start(1), found.end(1), "hex", bytes.fromhex(found.group(1)), sure=True)


def _is_wide(data: bytes) -> bool:
    return len(data) >= 4 and not data[1:32:2].strip(b"\0")


def _jwt_blobs(text: str) -> Iterator[Blob]:
    for found in _JWT.finditer(text):
        parts = [decode_base64(found.group(1)), decode_base64(found.group(2))]
        if all(part.startswith(b"{") and part.rstrip(b"\0 ").endswith(b"}") for part in parts):
            yield Blob(found.start(), found.end(), "jwt", b"\n".join(parts), sure=True)


def _run_blobs(text: str, mask: bytes) -> Iterator[Blob]:
    seed, at = b"A" * _RUN, 0
    while (begin := mask.find(seed, at)) >= 0:
        end = mask.find(b" ", begin)
        end = len(text) if end < 0 else end
        at = end
        run = text[begin:end]
        if _may_be_hex(run):
            segments = _gather(text, begin, end)
            yield from _hex_blob(text, segments)
            at = segments[-1][1]
        elif _may_be_base64(run):
            segments = _gather(text, begin, end)
            whole = "".join(text[first:last] for first, last in segments)
            out = decode_base64(whole)
            if out:
                padding = _PADDING.match(text, segments[-1][1])
                at = padding.end() if padding else segments[-1][1]
                yield Blob(begin, at, "base64", out, sure=False)
            yield from _parts_of_run(begin, run)
        else:
            yield from _parts_of_run(begin, run)


def _parts_of_run(begin: int, run: str) -> Iterator[Blob]:
    """Look for base64 in the parts of a run that joins words and a blob by `/`, `-` or `_`, as a URL path does."""
    if ("/" not in run and "-" not in run and "_" not in run) or len(run) > 4000 or _begins_text(run):
        return
    for found in re.finditer(r"[A-Za-z0-9+]{20,}+", run):
        part = found.group()
        if _may_be_base64(part) and part != run:
            out = decode_base64(part)
            if out:
                yield Blob(begin + found.start(), begin + found.end(), "base64", out, sure=False)


def _begins_text(run: str) -> bool:
    return not run[: len(run) & ~3 : 4][:400].strip(_FIRST_OF_TEXT)


def _may_be_hex(run: str) -> bool:
    return not run.strip("0123456789abcdefABCDEF") and len(run) % 2 == 0


def _may_be_base64(run: str) -> bool:
    """Decide cheaply whether a run can be base64 of text, of UTF-16 text or of a known binary."""
    if run.islower() or run.isupper():
        return False
    if _begins_text(run):
        return True
    firsts = run[: len(run) & ~3 : 4][:400]
    if run.startswith(_MAGIC_B64):
        return True
    if run[4:400:8].strip("A") == "" and run[7:400:8].strip("A") == "":
        return True
    if len(run) < 40:
        return False
    if firsts.count("-") + firsts.count("/") + firsts.count("_") > len(firsts) // 4:
        return False
    return any(char.isdigit() for char in run[:200]) and len(set(run[:200])) > 16


def _gather(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Follow a run over line breaks, adjoining quoted literals and `+`, and give the stretches it consists of.

    Lines belong together when all but the last are as long as the first and nothing else stands on them.
    """
    segments = [(begin, end)]
    width = end - begin
    while segments[-1][1] - begin < _MOST_CHARS:
        last = segments[-1][1]
        gap = _NEXT_LITERAL.match(text, last)
        lined = False
        if gap is None:
            if segments[-1][1] - segments[-1][0] != width or width < 32:
                break
            gap, lined = _NEXT_LINE.match(text, last), True
        following = _B64_RUN.match(text, gap.end()) if gap else None
        if following is None:
            break
        if lined and not _is_next_line(text, following, width):
            break
        segments.append(following.span())
    return segments


def _is_next_line(text: str, following: re.Match[str], width: int) -> bool:
    size = following.end() - following.start()
    if size > width:
        return False
    rest = text[following.end() : following.end() + 3]
    ends = not rest or rest[0] in "\r\n=\"'`<)\\ " or rest.startswith("\\n")
    return ends and (
        size == width or not following.group().islower() or not following.group().strip("0123456789abcdef")
    )


def _hex_blob(text: str, segments: list[tuple[int, int]]) -> Iterator[Blob]:
    whole = "".join(text[first:last] for first, last in segments)
    if len(whole) % 2 or whole.strip("0123456789abcdefABCDEF"):
        whole, segments = text[slice(*segments[0])], segments[:1]
    out = bytes.fromhex(whole)
    magic = whole[:8].lower().startswith(_MAGIC_HEX)
    head = out[:64]
    texty = len(head.translate(None, bytes(range(0x20, 0x7F)) + b"\t\r\n\0")) * 20 <= len(head)
    if magic or texty or len(whole) > 256:
        yield Blob(segments[0][0], segments[-1][1], "hex", out, sure=False)


# --- escapes ----------------------------------------------------------------------------------------------------


def _from_escapes(pattern: str, base: int) -> Callable[[str], bytes]:
    """Make a decoder of a run of escapes, each `pattern` with the number in group 1, and plain characters between."""
    compiled = re.compile(pattern)

    def decode(run: str) -> bytes:
        out, at, values = bytearray(), 0, 0
        for found in compiled.finditer(run):
            out += run[at : found.start()].encode("utf-8", "surrogatepass")
            value = int(found.group(1), base)
            if value > 0x10FFFF:
                return b""
            out += bytes((value,)) if value < 256 else chr(value).encode("utf-8", "surrogatepass")
            values += 1
            at = found.end()
        out += run[at:].encode("utf-8", "surrogatepass")
        return bytes(out) if values >= 4 else b""

    return decode


def _unhex_words(run: str) -> bytes:
    """Undo `%uNNNN` as JavaScript's `unescape` does; a run that is no text is shellcode, low byte first."""
    values = [int(word, 16) for word in re.findall(r"%u([0-9A-Fa-f]{4})", run)]
    text = "".join(map(chr, values))
    if all(value < 0x100 for value in values):
        return text.encode("latin-1")
    return b"".join(value.to_bytes(2, "little") for value in values)


def _spaced_hex(run: str) -> bytes:
    return bytes.fromhex("".join(re.findall(r"[0-9A-Fa-f]{2}", run)))


def _unentity(run: str) -> bytes:
    return html.unescape(re.sub(r";?&#", ";&#", run).lstrip(";")).encode("utf-8", "surrogatepass")


_ESCAPES: tuple[tuple[bytes, re.Pattern[str], str, Callable[[str], bytes]], ...] = (
    (
        b"\\xhh\\xhh",
        re.compile(r"(?:\\x[0-9A-Fa-f]{2}(?:[^\\\s\"']{0,8}+|[\"']\s{0,4}[+.&]?\s{0,8}[\"'])){4,}+"),
        "hex-escapes",
        _from_escapes(r"(?:[\"']\s{0,4}[+.&]?\s{0,8}[\"'])?\\x([0-9A-Fa-f]{2})", 16),
    ),
    (
        b"\\uhhhh\\uhhhh",
        re.compile(r"(?:\\u00[0-9A-Fa-f]{2}[^\\\s\"']{0,4}+){6,}+"),
        "unicode-escapes",
        _from_escapes(r"\\u([0-9A-Fa-f]{4})", 16),
    ),
    (
        b"\\hhh\\hhh",
        re.compile(r"(?:\\[01][0-7]{2}[^\\\s\"']{0,4}+){6,}+"),
        "octal-escapes",
        _from_escapes(r"\\([0-7]{3})", 8),
    ),
    (b"%uhhhh%uhhhh", re.compile(r"(?:%u[0-9A-Fa-f]{4}){6,}+"), "unicode-escapes", _unhex_words),
    (b"&#hh", re.compile(r"(?:&#\d{2,3};?){6,}+"), "html-entities", _unentity),
    (b"&#xhh", re.compile(r"(?:&#[xX][0-9A-Fa-f]{2,4};?){6,}+"), "html-entities", _unentity),
    (b"hh hh hh hh hh hh hh hh ", re.compile(r"[0-9A-Fa-f]{2}(?: {1,2}[0-9A-Fa-f]{2}\b){11,}+"), "hex", _spaced_hex),
    (b"hh-hh-hh-hh-hh-hh-hh-hh-", re.compile(r"[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}\b){11,}+"), "hex", _spaced_hex),
    (b"hh:hh:hh:hh:hh:hh:hh:hh:", re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}\b){11,}+"), "hex", _spaced_hex),
)

_ESCAPE_FINDER = MarkFinder(tuple(escape[0] for escape in _ESCAPES))

_URL_RUN = re.compile(r"(?:%[0-9A-Fa-f]{2}[^\s\"'<>%]{0,60}+){3,}+")
_URL_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_URL_STOP = frozenset(" \t\r\n\"'<>%")
_HOSTILE = re.compile(r"[<>`|;{}$]|\.\./|\.\.\\|--|'|://|\(\)|\x00")


def _url_blobs(text: str) -> Iterator[Blob]:
    """Yield percent-encoded tokens (RFC 3986) that hide letters, or that hide characters attacks are made of."""
    for found in _URL_RUN.finditer(text):
        begin = found.start()
        lowest = max(begin - 200, 0)
        while begin > lowest and text[begin - 1] not in _URL_STOP:
            begin -= 1
        run = text[begin : found.end()]
        values = [int(value, 16) for value in _URL_ESCAPE.findall(run)]
        letters = sum(1 for value in values if value < 0x80 and chr(value).isalnum())
        out = _URL_ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), run.replace("+", " "))
        hidden = "".join(map(chr, values))
        if letters >= 4 or values.count(0x25) >= 3 or (_HOSTILE.search(hidden) and TELLING.search(out)):
            raw = "".join(char if ord(char) < 256 else "?" for char in out).encode("latin-1")
            yield Blob(begin, found.end(), "url", raw, sure=letters >= 4)


# --- lists of numbers -------------------------------------------------------------------------------------------

_COMMAS = b"," * 8
_DECIMAL_LIST = re.compile(r"(?<![\d.])\d{1,3}(?:\s{0,8},\s{0,8}(?:\d{1,3}(?![\d.]))){8,}+")
_LOOSE_LIST = re.compile(
    r"(?<![\d.])\d{2,3}(?:(?P<gap>[ \t]{1,2}|[;:_|~!@#^&*}{<>]|[A-Za-z]|x)\d{2,3}(?:(?P=gap)\d{2,3}){10,}+)(?![\d.])"
)
_HEX_LIST = re.compile(r"0[xX][0-9A-Fa-f]{1,2}(?:\s{0,8},\s{0,8}0[xX][0-9A-Fa-f]{1,2}(?![0-9A-Fa-f])){6,}+")
_NUMBER = re.compile(r"\d+")
_HEX_NUMBER = re.compile(r"0[xX]([0-9A-Fa-f]+)")


def _list_blobs(text: str, data: bytes, hexed: bytes, places: dict[bytes, list[int]]) -> Iterator[Blob]:
    """Yield lists of byte values: `104,116,116,112`, `0x68, 0x74`, and other separators where code splits them."""
    if b"0x" in data and b"hxhh,hxhh,hxhh" in hexed.translate(None, _SPACES):
        for found in _HEX_LIST.finditer(text):
            values = [int(value, 16) for value in _HEX_NUMBER.findall(found.group())]
            yield Blob(found.start(), found.end(), "char-codes", bytes(values), sure=False)
    if _COMMAS in data.translate(None, b"0123456789 \t\r\n"):
        yield from _decimal_blobs(text, _DECIMAL_LIST)
    if any(mark in places for mark in _CHAR_MARKS):
        yield from _decimal_blobs(text, _LOOSE_LIST)


def _decimal_blobs(text: str, pattern: re.Pattern[str]) -> Iterator[Blob]:
    for found in pattern.finditer(text):
        values = [int(value) for value in _NUMBER.findall(found.group())]
        if max(values) < 256:
            yield Blob(found.start(), found.end(), "char-codes", bytes(values), sure=False)

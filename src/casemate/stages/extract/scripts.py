"""Undo the ways scripts hide words from whoever reads them: pieces put together, escapes, reversals, replacements.

Nothing is executed: each pass rewrites the text of a few lines by a regular expression, and passes repeat until
nothing changes. A region counts as hidden only when undoing it reveals something that could not be read before.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from casemate.stages.extract.marks import MarkFinder
from casemate.stages.extract.plausible import TELLING, looks_written


class Unravelled(NamedTuple):
    """Lines `start..end` of the text, the layers that were undone (outermost first) and what then stands there."""

    start: int
    end: int
    layers: tuple[str, ...]
    text: str


REGION_CHARS = 64 * 1024
_ROUNDS = 8
_LITERAL = r"""(?:'[^'\r\n]{0,20000}+'|"[^"\r\n]{0,20000}+")"""
_OPEN, _CLOSE = r"\(\s{0,4}", r"\s{0,4}\)"

_SIGNS: dict[bytes, re.Pattern[str]] = {
    mark: re.compile(pattern, re.IGNORECASE)
    for mark, pattern in {
        b"[char": r"\[char",
        b".char]": r"\.char\]",
        b"chr": r"chrw?\$?\s?\(\s?[\d&]",
        b"fromchar": r"fromcharcode",
        b"fromcodep": r"fromcodepoint",
        b"-f": r"(?<=['\") ])-f\s{0,4}[('\"]",
        b"replace": r"replace\s{0,4}[('\"]",
        b"reverse": r"reverse",
        b"..-": r"\.\.-",
        b"::-1]": r"::-1\]",
        b"-join": r"-join",
        b".join(": r"\.join\(",
        b"`": r"(?<=[A-Za-z])`[A-Za-z]",
        b"^": r"(?<=[A-Za-z])\^[A-Za-z\"^]",
        b"rot13": r"rot13",
        b"rot_13": r"rot_13",
    }.items()
}
"""Where hiding may begin: a cheap substring of the lower-case text, and what must stand there."""
_JOINED_MARKS = (b"'+'", b'"+"', b"'&'", b'"&"', b"'.'", b'"."', b"'+(", b'"+(', b"')+", b'")+')
_JOINED = re.compile(r"""['"]\)?[ \t]{0,4}[+&.][ \t]{0,4}\(?['"]""")
_FINDER = MarkFinder(tuple(_SIGNS))
_JOINED_FINDER = MarkFinder(_JOINED_MARKS)


def unravel(text: str) -> Iterator[Unravelled]:
    """Yield the regions of a text whose hiding could be undone and revealed something."""
    signs = _find_signs(text)
    for start, end in _regions(text, signs):
        region = text[start:end]
        layers, plain = simplify(region)
        if layers and _reveals(region, plain, layers):
            yield Unravelled(start, end, layers, plain.strip())


def _find_signs(text: str) -> list[int]:
    data = text.encode("latin-1", "replace").lower()
    signs: list[int] = []
    places = _FINDER.places(data)
    for mark, pattern in _SIGNS.items():
        after = 0
        for at in places.get(mark, ()):
            if at >= after and pattern.match(text, at):
                signs.append(at)
                after = data.find(b"\n", at)  # one sign a line is enough
                if after < 0:
                    break
    packed = data.translate(None, b" \t\r\n")
    if _JOINED_FINDER.places(packed):
        signs += [found.start() for found in _JOINED.finditer(text)]
    return sorted(signs)


def _regions(text: str, signs: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the lines that carry signs of hiding; lines next to each other together, no more than `REGION_CHARS`."""
    begin = end = -1
    for sign in signs:
        if sign < end:
            continue
        first = max(text.rfind("\n", max(sign - REGION_CHARS // 2, 0), sign) + 1, sign - REGION_CHARS // 2, end, 0)
        last = text.find("\n", sign, sign + REGION_CHARS // 2)
        last = min(sign + REGION_CHARS // 2, len(text)) if last < 0 else last
        if begin >= 0 and first <= end + 1 and last - begin <= REGION_CHARS:
            end = last
            continue
        if begin >= 0:
            yield begin, end
        begin, end = first, last
    if begin >= 0:
        yield begin, end


def simplify(region: str) -> tuple[tuple[str, ...], str]:
    """Undo every hiding known here, again and again; give the layer names in the order first met, and the text."""
    layers: list[str] = []
    for _ in range(_ROUNDS):
        before = region
        lower = region.lower()
        for name, (marks, undo) in PASSES.items():
            if not any(mark in lower for mark in marks):
                continue
            after = undo(region)
            if after != region:
                region = after[: REGION_CHARS * 4]
                if name not in layers:
                    layers.append(name)
        if region == before:
            break
    return tuple(layers), region


def _reveals(before: str, after: str, layers: tuple[str, ...]) -> bool:
    """Whether undoing showed telling words (or an encoded run) that were not to be seen before."""
    if after == before:
        return False
    old, new = len(TELLING.findall(before)), len(TELLING.findall(after))
    if new > old:
        return True
    if _LONG_RUN.search(after) and not _LONG_RUN.search(before):
        return True
    shown = set(_WORD.findall(after.lower())) - set(_WORD.findall(before.lower()))
    heavy = {"char-codes", "reverse", "rot13"} & set(layers)
    return bool(heavy) and sum(map(len, shown)) >= 8 and looks_written(" ".join(sorted(shown)))


_LONG_RUN = re.compile(r"[A-Za-z0-9+/]{40,}+")
_WORD = re.compile(r"[a-z]{4,}")


# --- passes -----------------------------------------------------------------------------------------------------

_CARET = re.compile(r"\^(?=[^\r\n])")
_CARET_SIGN = re.compile(r"[A-Za-z0-9/.\\ ]\^[A-Za-z0-9/.\\\"]")
_TICK = re.compile(r"(?<=[A-Za-z0-9\-.\"'\[(\\])`(?=[A-Za-z0-9\-])")
_TICK_WORD = re.compile(r"[A-Za-z]`[A-Za-z]+`?[A-Za-z]")


def _undo_carets(text: str) -> str:
    return _CARET.sub("", text) if len(_CARET_SIGN.findall(text)) >= 3 else text


def _undo_ticks(text: str) -> str:
    return _TICK.sub("", text) if len(_TICK_WORD.findall(text)) >= 2 else text


def _quote(value: str) -> str:
    value = "".join(char if char not in "\r\n" else " " for char in value)
    return (
        f"'{value}'" if "'" not in value else f'"{value}"' if '"' not in value else "'" + value.replace("'", "’") + "'"
    )


def _char(value: int) -> str:
    return chr(value) if 0 < value < 0x110000 and not 0xD800 <= value < 0xE000 else " "


_INT = r"(?:0x[0-9a-f]{1,6}|\d{1,7})"
_CHAR = re.compile(
    rf"(?:\[(?:system\.)?char\]\s?\(?\s?({_INT})\s?\)?|\bchrw?\$?\s?{_OPEN}({_INT}|&h[0-9a-f]{{1,6}}){_CLOSE})"
    r"(?:\.tostring\(\))?",
    re.IGNORECASE,
)
_CHAR_LIST = re.compile(
    rf"(?:string\.fromcharcode|fromcodepoint)\s?{_OPEN}({_INT}(?:\s{{0,4}},\s{{0,4}}{_INT}){{0,20000}}+){_CLOSE}"
    rf"|(?:-join\s{{0,3}})?\(?\[char\[\]\]\s{{0,3}}@?{_OPEN}({_INT}(?:\s{{0,4}},\s{{0,4}}{_INT}){{0,20000}}+){_CLOSE}"
    r"(?:\s?\)?\s?-join\s?(?:''|\"\"))?",
    re.IGNORECASE,
)


def _number(value: str) -> int:
    value = value.strip().lower().replace("&h", "0x")
    return int(value, 16 if "x" in value else 10)


def _undo_chars(text: str) -> str:
    text = _CHAR_LIST.sub(
        lambda found: _quote("".join(_char(_number(part)) for part in (found.group(1) or found.group(2)).split(","))),
        text,
    )
    return _CHAR.sub(lambda found: _quote(_char(_number(found.group(1) or found.group(2)))), text)


_CHAIN = re.compile(
    rf"{_LITERAL}(?:\s{{0,8}}(?:[+&]|\.(?=\s{{0,4}}['\"]))\s{{0,8}}(?:_\r?\n\s{{0,20}})?{_LITERAL}){{1,}}+"
)
_ONE = re.compile(_LITERAL)
_WRAPPED = re.compile(rf"(?<![\w\])]){_OPEN}({_LITERAL}){_CLOSE}")


def _undo_concat(text: str) -> str:
    text = _CHAIN.sub(lambda found: _quote("".join(part[1:-1] for part in _ONE.findall(found.group()))), text)
    return _WRAPPED.sub(lambda found: found.group(1), text)


_FORMAT = re.compile(
    rf"""(?:{_OPEN})?((?:"[^"\r\n]{{0,4000}}+"|'[^'\r\n]{{0,4000}}+'))\s{{0,4}}-f\s{{0,4}}
    ({_LITERAL}(?:\s{{0,4}},\s{{0,4}}{_LITERAL}){{0,400}}+)(?:{_CLOSE})?""",
    re.IGNORECASE | re.VERBOSE,
)
_SLOT = re.compile(r"\{(\d{1,3})\}")


def _undo_format(text: str) -> str:
    def fill(found: re.Match[str]) -> str:
        parts = [part[1:-1] for part in _ONE.findall(found.group(2))]
        slots = [int(slot) for slot in _SLOT.findall(found.group(1))]
        if not slots or max(slots) >= len(parts):
            return found.group()
        return _quote(_SLOT.sub(lambda slot: parts[int(slot.group(1))], found.group(1)[1:-1])[:REGION_CHARS])

    return _FORMAT.sub(fill, text)


_REPLACE = re.compile(
    rf"""(?<!\w)(?:{_OPEN})?({_LITERAL})(?:{_CLOSE})?
    (?:\.replace\s?{_OPEN}({_LITERAL})\s{{0,4}},\s{{0,4}}({_LITERAL}){_CLOSE}
      |\s{{0,4}}-[ci]?replace\s{{0,4}}\(?({_LITERAL})(?:\s{{0,4}},\s{{0,4}}({_LITERAL}))?\)?)""",
    re.IGNORECASE | re.VERBOSE,
)
_VB_REPLACE = re.compile(
    rf"\breplace\s?{_OPEN}({_LITERAL})\s{{0,4}},\s{{0,4}}({_LITERAL})\s{{0,4}},\s{{0,4}}({_LITERAL}){_CLOSE}",
    re.IGNORECASE,
)


def _undo_replace(text: str) -> str:
    def swap(found: re.Match[str]) -> str:
        groups = [group[1:-1] for group in found.groups() if group]
        whole, old, new = [*groups, ""][:3]
        return _quote(whole.replace(re.sub(r"\\(.)", r"\1", old), new)[:REGION_CHARS]) if old else found.group()

    return _REPLACE.sub(swap, _VB_REPLACE.sub(swap, text))


_REVERSED = re.compile(
    rf"""(?:strreverse\s?{_OPEN}({_LITERAL}){_CLOSE}
    |(?:-join\s?)?(?:{_OPEN})?({_LITERAL})(?:{_CLOSE})?\[\s?-1\s?\.\.\s?-\s?\(?[\w.()$ ]{{1,40}}\]?
     (?:\s?\)?\s?-join\s?(?:''|""))?
    |({_LITERAL})\[::-1\]
    |({_LITERAL})\.split\((?:''|"")\)\.reverse\(\)\.join\((?:''|"")\))""",
    re.IGNORECASE | re.VERBOSE,
)


def _undo_reverse(text: str) -> str:
    return _REVERSED.sub(lambda found: _quote(next(group for group in found.groups() if group)[-2:0:-1]), text)


_JOIN = re.compile(
    rf"""(?:-join\s{{0,4}}@?{_OPEN}({_LITERAL}(?:\s{{0,4}},\s{{0,4}}{_LITERAL}){{1,2000}}+){_CLOSE}
    |(?:@?{_OPEN})({_LITERAL}(?:\s{{0,4}},\s{{0,4}}{_LITERAL}){{1,2000}}+){_CLOSE}\s{{0,4}}-join\s{{0,4}}(?:''|"")
    |(?:\[)({_LITERAL}(?:\s{{0,4}},\s{{0,4}}{_LITERAL}){{1,2000}}+)\s{{0,4}}\]\.join\((?:''|"")\))""",
    re.IGNORECASE | re.VERBOSE,
)


def _undo_join(text: str) -> str:
    def join(found: re.Match[str]) -> str:
        inside = next(group for group in found.groups() if group)
        return _quote("".join(part[1:-1] for part in _ONE.findall(inside)))

    return _JOIN.sub(join, text)


_ROT13 = re.compile(
    rf"({_LITERAL})\s?,\s?['\"]rot_?13['\"]|\b(?:str_)?rot13\s?{_OPEN}({_LITERAL}){_CLOSE}", re.IGNORECASE
)
_TURN = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"
)


def _undo_rot13(text: str) -> str:
    return _ROT13.sub(lambda found: (found.group(1) or found.group(2)).translate(_TURN), text)


PASSES: dict[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
    "caret": (("^",), _undo_carets),
    "backtick": (("`",), _undo_ticks),
    "char-codes": (("char", "chr", "codepoint"), _undo_chars),
    "concat": (("+", "&", ".", "("), _undo_concat),
    "format": (("-f",), _undo_format),
    "replace": (("replace",), _undo_replace),
    "reverse": (("reverse", "..-", "-1]"), _undo_reverse),
    "join": (("join",), _undo_join),
    "rot13": (("rot",), _undo_rot13),
}
"""Every way of hiding undone here, by layer name, in the order tried: the lower-case words it needs, and the pass."""

"""Defanging undone: the forms people use to make an indicator harmless to click, and the way back."""

import re

_OPEN, _CLOSE = r"[\[({<]", r"[\])}>]"
DOT_WORD = r"(?:\.|dot|d0t|punto|punkt|,)"
BRACKETED_DOT = rf"[ \t]?{_OPEN}{{1,2}}[ \t]?{DOT_WORD}[ \t]?{_CLOSE}{{1,2}}[ \t]?"
DEFANGED_DOT = rf"(?:{BRACKETED_DOT}|\\{{1,2}}\.|\.{_CLOSE}|{_OPEN}\.| (?:dot|DOT) )"
ANY_DOT = rf"(?:{DEFANGED_DOT}|\.)"
DEFANGED_AT = rf"(?:[ \t]?{_OPEN}{{1,2}}[ \t]?(?:@|at|AT|At)[ \t]?{_CLOSE}{{1,2}}[ \t]?|\\@)"
ANY_AT = rf"(?:{DEFANGED_AT}|@| (?:at|AT) )"

_SPACE_DOT = re.compile(r"(?<=\w) (?:dot|DOT) (?=\w)")
_DOT = re.compile(rf"{BRACKETED_DOT}|\\{{1,2}}\.|(?<=\w)\.{_CLOSE}(?=\w)|(?<=\w){_OPEN}\.(?=\w)", re.IGNORECASE)
_AT = re.compile(DEFANGED_AT, re.IGNORECASE)
_COLON = re.compile(rf"{_OPEN}[ \t]?:[ \t]?{_CLOSE}|\\:")
_SLASHES = re.compile(rf"{_OPEN}[ \t]?(//?)[ \t]?{_CLOSE}|\\(/)")
_SEPARATOR = re.compile(rf"{_OPEN}[ \t]?://[ \t]?{_CLOSE}")
_NESTED = re.compile(r"\bhxxp(?=s?\[?(?::|%3a))", re.IGNORECASE)
_OTHER = re.compile(r"\[([-=?&#%_])\]")
SCHEME_SEPARATOR = re.compile(
    rf"[ \t]?{_OPEN}[ \t]?:[ \t]?(?:\\?/){{2}}[ \t]?{_CLOSE}[ \t]?"  # [://]
    rf"|(?::|[ \t]?{_OPEN}[ \t]?:[ \t]?{_CLOSE})"
    rf"(?:(?:\\?/){{2}}|{_OPEN}[ \t]?//[ \t]?{_CLOSE}|(?:{_OPEN}/{_CLOSE}){{2}}|\\{{2}}) ?"
)
_SCHEMES = (
    (re.compile(r"(?:h[tx*_]{1,3}|hzz|ht)p|hxx|hxtp|htxp|http", re.IGNORECASE), "http"),
    (re.compile(r"meow", re.IGNORECASE), "http"),
    (re.compile(r"f[x*]{1,2}p|f[tx*]p", re.IGNORECASE), "ftp"),
    (re.compile(r"sf[tx*]p", re.IGNORECASE), "sftp"),
    (re.compile(r"t[x*]p", re.IGNORECASE), "tcp"),
)
_SECURE = re.compile(r"[\[(]s[\])]", re.IGNORECASE)

# Characters that are seen as nothing, and characters that are seen as another one.
_UNSEEN = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_LOOKALIKE = {
    0x3002: ".", 0xFF0E: ".", 0xFF61: ".", 0x2024: ".", 0xFF20: "@", 0xFF1A: ":", 0xFF0F: "/", 0x2215: "/", 0x2044: "/",
    0x2010: "-", 0x2011: "-", 0x2012: "-", 0x2212: "-", 0xFE52: ".", 0xFE55: ":", 0xA0: " ", 0x202F: " ",
}  # fmt: skip
_LOOKALIKE |= {0xFF10 + digit: str(digit) for digit in range(10)}
_LOOKALIKE |= {0xFF21 + letter: chr(65 + letter) for letter in range(26)}
_LOOKALIKE |= {0xFF41 + letter: chr(97 + letter) for letter in range(26)}
_LOOKALIKE |= {0x3010: "[", 0x3011: "]", 0xFF3B: "[", 0xFF3D: "]", 0xFF08: "(", 0xFF09: ")"}
_ANY_UNSEEN = re.compile("[" + "".join(map(chr, _UNSEEN)) + "]")
_ANY_LOOKALIKE = re.compile("[" + re.escape("".join(map(chr, _LOOKALIKE))) + "]")


def clear_view(text: str) -> tuple[str, list[int]]:
    """Show the text as a reader sees it: look-alike punctuation made plain, characters without width left out.

    Gives the view and, when characters were left out, the offset in `text` of every character of the view and of its
    end; an empty list means that offsets are the same.
    """
    if _ANY_LOOKALIKE.search(text):
        text = text.translate(_LOOKALIKE)
    if not _ANY_UNSEEN.search(text):
        return text, []
    return text.translate(_UNSEEN), [at for at, letter in enumerate(text) if ord(letter) not in _UNSEEN] + [len(text)]


def plain_scheme(scheme: str) -> str:
    """Name the scheme that a defanged one stands for (`hXXps` is `https`, `meow` is `http`), lower case."""
    scheme = _SECURE.sub("s", scheme).replace("[", "").replace("]", "").replace("(", "").replace(")", "")
    for pattern, plain in _SCHEMES:
        if pattern.fullmatch(scheme):
            return plain
        if scheme[-1:] in "sS" and pattern.fullmatch(scheme[:-1]):
            return plain + "s"
    return scheme.lower()


def refang_host(text: str) -> str:
    """Undo defanged dots, at signs and colons in a host, an address or an e-mail address."""
    if text.isascii() and text.replace(".", "").replace("-", "").isalnum():
        return text
    text = _SPACE_DOT.sub(".", _DOT.sub(".", text))
    return _COLON.sub(":", _AT.sub("@", text))


def refang_path(text: str) -> str:
    """Undo defanging in what follows a URL's host."""
    if "xx" in text or "XX" in text:
        text = _NESTED.sub("http", text)
    if "[" in text or "\\" in text or "(" in text or "{" in text:
        text = _SEPARATOR.sub("://", text)
        text = _SLASHES.sub(lambda match: match[1] or match[2], text)
        text = re.sub(r"\[(?:\.|dot)\]|\((?:\.|dot)\)|\{\.\}|\[\.(?=\w)|(?<=\w)\.\](?=\w)", ".", text)
        text = _OTHER.sub(r"\1", re.sub(r"\[@\]|\[at\]", "@", re.sub(r"\[:\]", ":", text)))
    return text


def refang(text: str) -> str:
    """Undo defanging in one indicator of any kind; what is not defanged comes back unchanged, twice is as once."""
    seen = clear_view(text)[0]
    while True:
        match = SCHEME_SEPARATOR.search(seen)
        if match and re.fullmatch(r"[A-Za-z][\w+.*\-\[\]()]{1,19}", seen[: match.start()]):
            host, path = split_host(seen[match.end() :])
            plain = f"{plain_scheme(seen[: match.start()])}://{refang_host(host)}{refang_path(path)}"
        else:
            host, path = split_host(seen)
            plain = refang_host(host) + refang_path(path)
        if plain == seen:
            return plain
        seen = plain


def split_host(text: str) -> tuple[str, str]:
    """Part what stands before the path, query or fragment from the rest, which keeps its first character."""
    depth = 0
    for at, letter in enumerate(text):
        if letter in "[({<":
            if text[at + 1 : at + 3] in {"/]", "/)", "/}"}:
                return text[:at], text[at:]
            depth += 1
        elif letter in "])}>":
            depth = max(depth - 1, 0)
        elif letter in "/?#" and (depth == 0 or letter != "/" or at == 0):
            escaped = at > 0 and letter == "/" and text[at - 1] == "\\"
            return text[: at - escaped], text[at - escaped :]
    return text, ""

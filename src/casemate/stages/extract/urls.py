"""URLs in text: with any scheme, defanged or not, and those written without a scheme."""

import re

from casemate.stages.extract.checks import canonical_ipv6, is_ipv4
from casemate.stages.extract.domains import canonical_domain
from casemate.stages.extract.found import NOTHING, Found
from casemate.stages.extract.refang import SCHEME_SEPARATOR, plain_scheme, refang_host, refang_path, split_host

_MOST = 4096
_SCHEME_BACK = re.compile(
    r"(?:[\])][sS][\[(])?[A-Za-z0-9+*_-]{1,18}(?:\[[A-Za-z]{1,2}\][A-Za-z]{0,3})?"
)  # read backwards
_SCHEME_END = re.compile(r"(?:h[tx*_]{1,3}p|hzzp|meow|f[tx*]p)s?(?:[\[(]s[\])])?\Z", re.IGNORECASE)
_STRETCH = (
    r"(?:[^\s\"'<>|`^\[\]{}\\\u2018\u2019\u201c\u201d\u00ab\u00bb\u3001\u3002\uff0c\uff1b]"
    r"|\[(?:\.|dot|:|/|//|@|at|-|_|=|\?|&|#|%|://)\]|\{(?:\.|dot)\}|\[[0-9A-Fa-f:]{2,45}\]|\\(?=[./:])"
    r"|\{[\w.,-]{0,40}\}|\[\.(?=\w)|(?<=\.)\](?=\w))"
)
_BODY = re.compile(rf"(?: ?[\[({{] ?(?:\.|dot) ?[\])}}] ?(?=[\w-])|{_STRETCH}){{1,{_MOST}}}")
_PATH = re.compile(rf"/{_STRETCH}{{1,{_MOST}}}")
_AUTHORITY = re.compile(
    r"(?:[^@/?#\s]{1,128}@)?(?:\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[\w.*$-]{1,253}))(?::(?P<port>[0-9]{0,5}))?\Z"
)
_NEXT_URL = re.compile(r"[,;|](?=(?:h[tx*]{2}ps?|meow|ftp)(?:\[?:|:))", re.IGNORECASE)
_CELLS = re.compile(r",(?:[A-Za-z][A-Za-z_]*)?(?:,\w*)*\Z")  # the cells of a table that follow
_SENTENCE = re.compile(r"[,;%&=!)(+~]")  # what ends a host that no path follows
_PATH_LIKE = re.compile(
    r"/(?!\d{1,3}(?:\.\d{1,3}){3}(?![\w.]))[\w~%?#=.\[({+@-]"
)  # an address after a slash is no path
_CLOSERS = {")": "(", "]": "[", "}": "{", ">": "<"}
_KNOWN_SCHEMES_TEXT = """
http https ftp ftps sftp ssh scp tcp udp ws wss ldap ldaps rmi smb cifs nfs file telnet irc ircs git svn rtsp rtmp
socks socks4 socks5 stratum stratum+tcp stratum+ssl mysql postgres postgresql redis mongodb amqp mqtt hdfs s3 gs
viewfs vnc rdp dns tls ssl jdbc imap imaps pop3 smtp gopher tftp ipfs magnet chrome-extension
"""
_KNOWN_SCHEMES = frozenset(_KNOWN_SCHEMES_TEXT.split())


def trim_end(raw: str, before: str = "") -> str:
    """Leave out what ends the sentence, not the URL: punctuation, and closing brackets that none in it opens.

    `before` is the character before the URL: a mark that encloses it (`+`, `*`, `_`, `~`) is left out at its end too.
    """
    if before and before in "+*_~":
        raw = raw.rstrip(before)
    comma = raw.find(",")
    if comma > 0 and (before in {"\n", ",", ";"} or _CELLS.search(raw)):
        raw = raw[:comma] if before in {"\n", ",", ";"} else _CELLS.sub("", raw)
    cut = _NEXT_URL.search(raw)
    if cut:
        raw = raw[: cut.start()]
    while raw:
        last = raw[-1]
        if last in ".,;:!?*'\"\\" or (last == "_" and raw.count("_") % 2 and "_" not in raw[:-1]):
            raw = raw[:-1]
        elif last in _CLOSERS:
            if re.search(r"\[(?:\.|dot|:|/|@|at|-|_|=|\?|&|#|%)\]\Z", raw):
                raw = raw[: raw.rindex("[")]
            elif raw.count(last) > raw.count(_CLOSERS[last]):
                raw = raw[:-1]
            else:
                return raw
        elif last in "[({<":
            raw = raw[:-1]
        else:
            return raw
    return raw


def read_url(text: str, end: int) -> tuple[Found, ...]:
    """Confirm a URL whose scheme separator ends at or just before `end`; its host comes with it."""
    separator = SCHEME_SEPARATOR.search(text, end - 12 if end > 12 else 0, min(end + 8, len(text)))
    if separator is None or separator.end() < end - 1:
        return NOTHING
    start = separator.start()
    word = _SCHEME_BACK.match(text[start - 1 : start - 28 if start > 28 else 0 : -1])
    if word is None:
        return NOTHING
    scheme = word[0][::-1].replace("[", "").replace("]", "") if word[0].count("[") > 1 else word[0][::-1]
    start -= len(word[0])
    plain = plain_scheme(scheme)
    if plain not in _KNOWN_SCHEMES:
        known = _SCHEME_END.search(scheme)
        if known:
            start += known.start()
            plain = plain_scheme(known[0])
        elif not scheme[0].isalpha():
            return NOTHING
    body = _BODY.match(text, separator.end())
    if body is None:
        return NOTHING
    raw = trim_end(body[0], text[start - 1])
    authority, path = split_host(raw)
    return _confirm(text, plain, start, separator.end(), authority, path)


def _confirm(text: str, scheme: str, start: int, at: int, authority: str, path: str) -> tuple[Found, ...]:
    plain = refang_host(authority)
    if scheme == "file" and not plain:
        return (("url", f"file://{refang_path(path)}", start, at + len(path), ""),) if len(path) > 3 else NOTHING
    if scheme == "file":
        plain = plain.partition("@")[0]  # host@port, as WebDAV paths have it
    match = _AUTHORITY.match(plain)
    if match is None:
        kept = _SENTENCE.split(authority, maxsplit=1)[0].rstrip(").(")
        plain, path, authority = refang_host(kept), "", kept
        match = _AUTHORITY.match(plain)
        if match is None:
            return NOTHING
    kind, value = _host_of(match)
    if not value and not _inner_host(scheme, match, path):
        return NOTHING
    end = at + len(authority) + len(path)
    url = ("url", f"{scheme}://{_lower_host(plain)}{refang_path(path)}", start, end, "")
    if not value:
        return (url,)
    host_at, host_end = _host_span(text, at, at + len(authority))
    return (url, (kind, value, host_at, host_end, ""))


def _host_of(match: re.Match[str]) -> tuple[str, str]:
    """Tell what kind of host it is, and its canonical form; empty for one that is no public name."""
    if match["six"]:
        return "ipv6-addr", canonical_ipv6(match["six"])
    host = match["host"]
    if is_ipv4(host):
        return "ipv4-addr", host
    return "domain-name", canonical_domain(host.lstrip("*.").rstrip("."), trusted=True)


def _inner_host(scheme: str, match: re.Match[str], path: str) -> bool:
    """Say whether this may be a machine of somebody's own network, which has no top-level domain."""
    host = match["host"] or ""
    if scheme not in _KNOWN_SCHEMES or len(host) < 2 or not re.match(r"[A-Za-z0-9_*-]", host):
        return False
    if ".." in host or re.search(r"\.\d*\Z", host):
        return False
    return bool(path or match["port"]) or host == "localhost" or scheme not in {"http", "https"}


def _lower_host(authority: str) -> str:
    user, at, host = authority.rpartition("@")
    return user + at + host.lower()


def _host_span(text: str, start: int, end: int) -> tuple[int, int]:
    user = text.rfind("@", start, end)
    if user >= 0 and text[user + 1 : user + 2] not in {"]", ")"}:
        start = user + 1
    while start < end and text[start] in " *.":
        start += 1
    return start, end


def read_path_after(text: str, plain: str, start: int, end: int) -> Found | None:
    """Confirm a URL without a scheme: the host, written `plain`, stands at `start..end` and a path follows."""
    match = _PATH.match(text, end) if _PATH_LIKE.match(text, end) else None
    if match is None:
        return None
    raw = trim_end(match[0], text[start - 1])
    if len(raw) < 2 or not _PATH_LIKE.match(raw):
        return None
    return ("url", plain.lower() + refang_path(raw), start, end + len(raw), "")

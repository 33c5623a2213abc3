"""Observables as STIX 2.1 cyber-observable objects, with the ids the specification derives from their content."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import quote
from uuid import UUID, uuid5

from casemate.core.digest import canonical_json
from casemate.core.observable import Observable
from casemate.core.plain import json_escaped

Sco = dict[str, object]

# STIX 2.1, section 2.9: the namespace for deterministic identifiers of cyber-observable objects.
_NAMESPACE = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")

SCO_TYPES = frozenset(
    {
        "autonomous-system",
        "directory",
        "domain-name",
        "email-addr",
        "file",
        "ipv4-addr",
        "ipv6-addr",
        "mac-addr",
        "mutex",
        "url",
        "user-account",
        "windows-registry-key",
    }
)
"""The types of object that `objects_of` makes."""

# What `hash-algorithm-ov` (section 10.10) knows, with the form of the digits.
_HASHES = {
    "MD5": "[0-9a-f]{32}",
    "SHA-1": "[0-9a-f]{40}",
    "SHA-256": "[0-9a-f]{64}",
    "SHA-512": "[0-9a-f]{128}",
    "SSDEEP": r"\d{1,10}:[A-Za-z0-9/+]{1,128}:[A-Za-z0-9/+]{1,128}",
    "TLSH": "(T1)?[0-9a-f]{70}",
}
_LABEL = r"(xn--[a-z0-9-]{1,59}|(?!..--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})+", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}")
_MAC = re.compile("([0-9a-f]{2}:){5}[0-9a-f]{2}")
_AUTHORITY = re.compile(r"([\w.~!$&'()*+,;=:%-]+@)?(\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(:\d*)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*")


def objects_of(seen: Observable) -> tuple[Sco, ...]:
    """Make the objects that stand for an observable, the main one first; none where STIX has no object for it.

    A value that is not well-formed for its type (an address with a port, a domain name with an underscore, a URL
    without scheme) gives none either: the caller says it in words.
    """
    make = _MAKERS.get(seen.type)
    if make is None or _SURROGATE.search(seen.value):  # half a character has no UTF-8 to derive an id from
        return ()
    return make(seen)


def _made(type_: str, contributing: dict[str, object]) -> Sco:
    """Put an object together; its id is UUIDv5 over the canonical JSON (RFC 8785) of the contributing properties."""
    name = canonical_json(contributing).decode("utf-8")
    return {"type": type_, "spec_version": "2.1", "id": f"{type_}--{uuid5(_NAMESPACE, name)}", **contributing}


def _address(seen: Observable) -> tuple[Sco, ...]:
    version = 4 if seen.type == "ipv4-addr" else 6
    try:
        network = ipaddress.ip_network(seen.value, strict=False)
    except ValueError:
        return ()
    if network.version != version:
        return ()
    text = seen.value if version == 4 else _compressed(seen.value)
    return (_made(seen.type, {"value": text}),)


def _compressed(value: str) -> str:
    address, slash, length = value.partition("/")
    return ipaddress.IPv6Address(address.partition("%")[0]).compressed + slash + length


def _domain(seen: Observable) -> tuple[Sco, ...]:
    if not _DOMAIN.fullmatch(seen.value) or not _decodable(seen.value):
        return ()
    return (_made("domain-name", {"value": seen.value}),)


def _decodable(name: str) -> bool:
    try:
        return bool(name.encode("ascii").decode("idna"))
    except UnicodeError:
        return False


def _url(seen: Observable) -> tuple[Sco, ...]:
    scheme, mark, rest = seen.value.partition("://")
    cut = re.search(r"[/?#]", rest)
    authority, tail = (rest[: cut.start()], rest[cut.start() :]) if cut else (rest, "")
    if not mark or not _SCHEME.fullmatch(scheme) or not _AUTHORITY.fullmatch(authority):
        return ()
    path, sharp, fragment = tail.partition("#")
    written = f"{scheme}://{_percent(authority)}{_percent(path)}{sharp}{_percent(fragment)}"
    return (_made("url", {"value": written}),)


def _percent(text: str) -> str:
    """Percent-encode what RFC 3986 does not allow to stand as it is; what is encoded already stays."""
    shown = quote(
        text, safe="/?:@!$&'()*+,;=-._~%[]" if text.startswith("[") else "/?:@!$&'()*+,;=-._~%", errors="replace"
    )
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", shown)


def _file(seen: Observable) -> tuple[Sco, ...]:
    form = _HASHES.get(seen.hash)
    if form is None or not re.fullmatch(form, seen.value, re.IGNORECASE):
        return ()
    return (_made("file", {"hashes": {seen.hash: seen.value}}),)


def _path(seen: Observable) -> tuple[Sco, ...]:
    separator = "\\" if "\\" in seen.value else "/"
    folder, _, name = seen.value.rpartition(separator)
    if not name:
        return (_made("directory", {"path": seen.value}),) if seen.value else ()
    if not folder:
        folder = separator if seen.value.startswith(separator) else ""
    if not folder:
        return (_made("file", {"name": name}),)
    directory = _made("directory", {"path": folder})
    return _made("file", {"name": name, "parent_directory_ref": directory["id"]}), directory


def _email(seen: Observable) -> tuple[Sco, ...]:
    return (_made("email-addr", {"value": seen.value}),) if _EMAIL.fullmatch(seen.value) else ()


def _mac(seen: Observable) -> tuple[Sco, ...]:
    value = seen.value.lower().replace("-", ":")
    return (_made("mac-addr", {"value": value}),) if _MAC.fullmatch(value) else ()


def _as(seen: Observable) -> tuple[Sco, ...]:
    digits = seen.value.upper().removeprefix("AS")
    if not (digits.isascii() and digits.isdigit() and int(digits) < 2**32):
        return ()
    return (_made("autonomous-system", {"number": int(digits)}),)


def _key(seen: Observable) -> tuple[Sco, ...]:
    return (_made("windows-registry-key", {"key": seen.value}),) if seen.value.upper().startswith("HKEY_") else ()


def _mutex(seen: Observable) -> tuple[Sco, ...]:
    return (_made("mutex", {"name": seen.value}),) if seen.value else ()


def _sid(seen: Observable) -> tuple[Sco, ...]:
    if not re.fullmatch(r"S-1(-\d{1,20}){1,16}", seen.value):
        return ()
    return (_made("user-account", {"user_id": seen.value}),)


_MAKERS = {
    "ipv4-addr": _address,
    "ipv6-addr": _address,
    "domain-name": _domain,
    "url": _url,
    "file": _file,
    "file-path": _path,
    "email-addr": _email,
    "mac-addr": _mac,
    "autonomous-system": _as,
    "windows-registry-key": _key,
    "mutex": _mutex,
    "windows-sid": _sid,
}


def render_observables(observables: Iterable[Observable]) -> bytes:
    """Write one bundle of the objects that stand for these observables, each once; the same observables, same bytes.

    What STIX has no cyber-observable for (a CVE id, a user agent) is not in it.
    """
    found = {made["id"]: made for seen in observables for made in objects_of(seen)}
    name = canonical_json(sorted(str(key) for key in found)).decode("utf-8")
    bundle = {"type": "bundle", "id": f"bundle--{uuid5(_NAMESPACE, name)}", "objects": list(found.values())}
    return json_escaped(canonical_json(bundle).decode("utf-8")).encode("utf-8") + b"\n"

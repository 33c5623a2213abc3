"""Recognise a reference file by its content and read it with the reader for its format."""

import dataclasses
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from casemate.knowledge.openers import members, parse_json, read_whole
from casemate.knowledge.records import Edition, Item, distrust
from casemate.knowledge.sources.attack import is_attack, read_attack
from casemate.knowledge.sources.capec import is_capec, read_capec
from casemate.knowledge.sources.cve import is_cve, read_cve
from casemate.knowledge.sources.cwe import is_cwe_csv, is_cwe_xml, read_cwe_csv, read_cwe_xml
from casemate.knowledge.sources.epss import is_epss, read_epss
from casemate.knowledge.sources.galaxy import is_galaxy, read_galaxy
from casemate.knowledge.sources.kev import is_kev, read_kev
from casemate.knowledge.sources.nvd import is_nvd, read_nvd
from casemate.knowledge.sources.warninglist import is_warning_list, read_warning_list
from casemate.policy import Limits

StreamReader = Callable[[io.BufferedReader, str], Edition]

JSON_READERS: dict[str, tuple[Callable[[object], bool], Callable[[object, str], Edition]]] = {
    "ATT&CK STIX bundle": (is_attack, read_attack),
    "CAPEC STIX bundle": (is_capec, read_capec),
    "CISA KEV catalogue": (is_kev, read_kev),
    "NVD JSON 2.0": (is_nvd, read_nvd),
    "CVE record": (is_cve, read_cve),
    "MISP galaxy cluster": (is_galaxy, read_galaxy),
    "MISP warning list": (is_warning_list, read_warning_list),
}
STREAM_READERS: dict[str, tuple[Callable[[bytes], bool], StreamReader]] = {
    "CWE XML catalogue": (is_cwe_xml, read_cwe_xml),
    "CWE view as CSV": (is_cwe_csv, read_cwe_csv),
    "EPSS CSV": (is_epss, read_epss),
}
JOINED = ("cve", "nvd")
"""The sources that a zip may hold in many files, which are then one edition."""

_FOREIGN_FILE = re.compile(r"[/!](?:\.|README|LICEN[CS]E|__MACOSX|delta\w*\.json|recent_\w+\.json)", re.IGNORECASE)
_HEAD_BYTES = 4096


def read_edition(path: Path, limits: Limits) -> Edition:
    """Open a file, find out what it is and return its edition, whose items are read while they are consumed.

    Raises `NotTrusted` naming the file and the place when it is damaged, or is nothing we know.
    """
    opened = _wanted(path, limits)
    first = next(opened, None)
    if first is None:
        raise distrust(path.name, "", "an archive with nothing in it that could be read")
    edition = _read(*first, limits)

    def items() -> Iterator[Item]:
        yield from edition.items
        for name, stream in opened:
            more = _read(name, stream, limits)
            if more.source != edition.source or more.source not in JOINED:
                raise distrust(name, "", f"{more.name} beside {edition.name} in one archive; import them one by one")
            yield from more.items

    return dataclasses.replace(edition, items=items())


def _wanted(path: Path, limits: Limits) -> Iterator[tuple[str, io.BufferedReader]]:
    """Yield the members to read: of the CVE Program's archives the records, not the logs beside them."""
    for name, stream in members(path, limits):
        if not _FOREIGN_FILE.search(name):
            yield name, stream


def _read(name: str, stream: io.BufferedReader, limits: Limits) -> Edition:
    head = stream.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    for recognises, read in STREAM_READERS.values():
        if recognises(head):
            return read(stream, name)
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
        known = ", ".join((*JSON_READERS, *STREAM_READERS))
        raise distrust(name, "", f"none of the formats that can be imported ({known})")
    if _is_lines(head, stream):
        return _read_lines(stream, name)
    return _read_json(parse_json(read_whole(stream, name, limits), name), name)


def _read_json(document: object, name: str) -> Edition:
    for recognises, reader in JSON_READERS.values():
        if recognises(document):
            return reader(document, name)
    raise distrust(name, "", f"JSON, but none of: {', '.join(JSON_READERS)}")


def _is_lines(head: bytes, stream: io.BufferedReader) -> bool:
    """Tell JSON lines: the first line is a whole object, and another begins after it."""
    line, found, rest = head.partition(b"\n")
    if not found:
        return b'"CVE_RECORD"' in head and b"\n{" in stream.peek()
    return line.strip().endswith(b"}") and rest.lstrip().startswith(b"{")


def _read_lines(stream: io.BufferedReader, name: str) -> Edition:
    first = parse_json(stream.readline(), name, "line 1")
    edition = _read_json(first, name)
    if edition.source not in JOINED:
        raise distrust(name, "line 1", f"{edition.name} does not come in JSON lines")

    def items() -> Iterator[Item]:
        yield from edition.items
        for number, line in enumerate(stream, start=2):
            if line.strip():
                more = _read_json(parse_json(line, name, f"line {number}"), f"{name}, line {number}")
                if more.source != edition.source:
                    raise distrust(name, f"line {number}", f"{more.name} among {edition.name}")
                yield from more.items

    return dataclasses.replace(edition, items=items())

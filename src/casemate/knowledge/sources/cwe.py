"""CWE: the XML catalogue (cwe_schema 6 and 7) and the CSV of a view such as 1003."""

import csv
import io
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from casemate.knowledge.kinds import CWE_NOTICE
from casemate.knowledge.records import Edition, Item, Record, distinct, distrust, tidy
from casemate.knowledge.sources.cwe_parts import cwe_paragraphs

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_KINDS = {"Weakness": "weakness", "Category": "weakness-category", "View": "weakness-view"}
_TEXT_FIELDS = ("Description", "Extended_Description", "Summary", "Objective")
_NAMED = re.compile(r"CWE-\d+")
_CSV_LINK = re.compile(r"NATURE:(\w+):CWE ID:(\d+)")
_FIELD_BYTES = 8 * 1024 * 1024


def is_cwe_xml(head: bytes) -> bool:
    """Tell a CWE catalogue by its root element."""
    return b"<Weakness_Catalog" in head


def is_cwe_csv(head: bytes) -> bool:
    """Tell the CSV of a CWE view by its header."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith(b"CWE-ID,Name,")


def read_cwe_xml(stream: IO[bytes], name: str) -> Edition:
    """Read the catalogue as a stream; entities and external documents are refused (defusedxml)."""
    events = _events(stream, name)
    root = next(events, None)
    if root is None or _local(root) != "Weakness_Catalog":
        raise distrust(name, "", "no CWE catalogue")
    version = root.get("Version") or "unknown"
    return Edition("cwe", "CWE", version, 95, CWE_NOTICE, _records(events, root, name))


def _events(stream: IO[bytes], name: str) -> Iterator["Element"]:
    """Yield the root when it opens, then each element that is an entry when it closes."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    try:
        first = True
        for event, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
            if first:
                first = False
                yield element
            elif event == "end" and _local(element) in _KINDS:
                yield element
    except ParseError as error:
        line, column = error.position
        raise distrust(name, f"line {line} column {column + 1}", "not well-formed XML") from error
    except DefusedXmlException as error:
        raise distrust(name, "", f"XML that is not safe to read: {type(error).__name__}") from error


def _local(element: "Element") -> str:
    return element.tag.rpartition("}")[2]


def _records(elements: Iterator["Element"], root: "Element", name: str) -> Iterator[Item]:
    for element in elements:
        number, title = element.get("ID", ""), element.get("Name", "")
        if not (number.isdecimal() and title):
            raise distrust(name, f"{_local(element)} {number or '?'}", "an entry without number or name")
        yield _record(element, f"CWE-{number}", title)
        yield from cwe_paragraphs(element, f"CWE-{number}")
        element.clear()
        for group in root:
            group.clear()  # the entries read; the tree must not grow with the file


def _record(element: "Element", number: str, title: str) -> Record:
    children = {_local(child): child for child in element}
    paragraphs = [tidy(" ".join(children[field].itertext())) for field in _TEXT_FIELDS if field in children]
    state = "deprecated" if element.get("Status") in {"Deprecated", "Obsolete"} else ""
    text = "\n\n".join(part for part in paragraphs if part)
    terms = [
        term.text or ""
        for child in element
        if _local(child) == "Alternate_Terms"
        for term in child.iter()
        if _local(term) == "Term"
    ]
    others = [other for other in _NAMED.findall(text) if other != number]
    facts = [("source", "cwe")]
    facts += [
        (label, value)
        for label, value in (("abstraction", element.get("Abstraction")), ("status", element.get("Status")))
        if value
    ]
    if "Likelihood_Of_Exploit" in children:
        facts.append(("likelihood", children["Likelihood_Of_Exploit"].text or ""))
    mapping = next((item.text or "" for item in element.iter() if _local(item) == "Usage"), "")
    if mapping:
        facts.append(("mapping", mapping))
    return Record(
        id=number,
        kind=_KINDS[_local(element)],
        names=distinct([title.removeprefix("DEPRECATED: "), *terms]),
        text=text,
        state=state,
        successor=others[0] if state and others else "",
        url=f"https://cwe.mitre.org/data/definitions/{number.removeprefix('CWE-')}.html",
        facts=tuple(facts),
        links=tuple(dict.fromkeys(_links(element))),
    )


def _links(element: "Element") -> Iterator[tuple[str, str]]:
    for item in element.iter():
        match _local(item):
            case "Related_Weakness":
                relation = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", item.get("Nature", "related")).lower()
                yield relation, f"CWE-{item.get('CWE_ID', '')}"
            case "Related_Attack_Pattern":
                yield "attack-pattern", f"CAPEC-{item.get('CAPEC_ID', '')}"
            case "Has_Member":
                yield "has-member", f"CWE-{item.get('CWE_ID', '')}"


def read_cwe_csv(stream: IO[bytes], name: str) -> Edition:
    """Read the CSV that cwe.mitre.org gives for one view; it does not say which view or version it is."""
    return Edition("cwe-view", "CWE view", "unversioned CSV", 94, CWE_NOTICE, _rows(stream, name))


def _rows(stream: IO[bytes], name: str) -> Iterator[Record]:
    csv.field_size_limit(_FIELD_BYTES)
    lines = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    reader = csv.DictReader(lines)
    try:
        for row in reader:
            number, title = row.get("CWE-ID") or "", row.get("Name") or ""
            if not (number.isdecimal() and title):
                raise distrust(name, f"line {reader.line_num}", "a row without number or name")
            parts = [tidy(row.get("Description") or ""), tidy(row.get("Extended Description") or "")]
            facts = [("source", "cwe-view")]
            facts += [
                (label, row[field])
                for label, field in (("abstraction", "Weakness Abstraction"), ("status", "Status"))
                if row.get(field)
            ]
            yield Record(
                id=f"CWE-{number}",
                kind="weakness",
                names=distinct([title]),
                text="\n\n".join(part for part in parts if part),
                state="deprecated" if row.get("Status") in {"Deprecated", "Obsolete"} else "",
                url=f"https://cwe.mitre.org/data/definitions/{number}.html",
                facts=tuple(facts),
                links=tuple(
                    dict.fromkeys(
                        (re.sub(r"(?<=[a-z])(?=[A-Z])", "-", nature).lower(), f"CWE-{other}")
                        for nature, other in _CSV_LINK.findall(row.get("Related Weaknesses") or "")
                    )
                ),
            )
    except (csv.Error, UnicodeDecodeError) as error:
        raise distrust(name, f"line {reader.line_num}", f"not CSV in UTF-8: {error}") from error

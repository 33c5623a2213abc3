"""The part of CAPEC that the threat library of `pytm` carries (github.com/OWASP/pytm, threatlib/threats.json)."""

import re
from collections.abc import Iterator

from casemate.knowledge.kinds import CAPEC_NOTICE
from casemate.knowledge.records import Edition, Item, Paragraph, Record, distinct, distrust, objects_of, text_of, tidy

RANK = 20
"""Below every edition of CAPEC itself, which has the same source and takes the place of this part."""

_PATTERN = re.compile(r"capec\.mitre\.org/data/definitions/(\d{1,4})")
_WEAKNESS = re.compile(r"cwe\.mitre\.org/data/definitions/(\d{1,4})")
_SIDE = re.compile(r" - (?:Server|Client)Side$")
_GLUED = re.compile(r"(?<=[a-z)\]][.;:])(?=[A-Z])")
_TOLD = (("prerequisites", "prerequisite"), ("mitigations", "mitigation"), ("example", "example"))


def read_threats(document: object, version: str, name: str) -> Edition:
    """Read the threats that name an attack pattern of CAPEC; raises `NotTrusted` where there is none."""
    threats = [one for one in objects_of(document) if _PATTERN.search(text_of(one.get("references")))]
    if not threats:
        raise distrust(name, "", "no threat names an attack pattern of CAPEC")
    return Edition("capec", "CAPEC (in part, by pytm)", version, RANK, CAPEC_NOTICE, _items(threats))


def _items(threats: list[dict[str, object]]) -> Iterator[Item]:
    seen: set[str] = set()
    for threat in threats:
        references = text_of(threat.get("references"))
        number = f"CAPEC-{_PATTERN.findall(references)[0]}"
        if number in seen:
            continue
        seen.add(number)
        facts = [("source", "capec")]
        for label, field in (("likelihood", "Likelihood Of Attack"), ("severity", "severity")):
            if text_of(threat.get(field)):
                facts.append((label, text_of(threat.get(field))))
        yield Record(
            id=number,
            kind="attack-pattern",
            names=distinct([_SIDE.sub("", text_of(threat.get("description")))]),
            text=_running(threat, "details"),
            url=f"https://capec.mitre.org/data/definitions/{number.removeprefix('CAPEC-')}.html",
            facts=tuple(facts),
            links=tuple(dict.fromkeys(("weakness", f"CWE-{weakness}") for weakness in _WEAKNESS.findall(references))),
        )
        for field, heading in _TOLD:
            if text := _running(threat, field):
                yield Paragraph(number, "", heading, text)


def _running(threat: dict[str, object], field: str) -> str:
    """Give a field as running text: the library glues sentences together where CAPEC begins a new line."""
    return _GLUED.sub(" ", tidy(text_of(threat.get(field))))

"""CAPEC as a STIX 2.1 bundle (github.com/mitre/cti, folder capec)."""

import re
from collections import defaultdict
from collections.abc import Iterator

from casemate.knowledge.kinds import CAPEC_NOTICE
from casemate.knowledge.records import (
    Edition,
    Item,
    Record,
    distinct,
    distrust,
    object_of,
    objects_of,
    text_of,
    texts_of,
    tidy,
)
from casemate.knowledge.sources.capec_parts import capec_paragraphs

Stix = dict[str, object]
_NAMED = re.compile(r"CAPEC-\d+")
_RELATIONS = (
    ("child-of", "x_capec_child_of_refs"),
    ("parent-of", "x_capec_parent_of_refs"),
    ("can-precede", "x_capec_can_precede_refs"),
    ("can-follow", "x_capec_can_follow_refs"),
    ("peer-of", "x_capec_peer_of_refs"),
)


def is_capec(document: object) -> bool:
    """Tell whether a JSON document is a STIX bundle of CAPEC: some attack pattern of it is numbered by CAPEC."""
    bundle = object_of(document)
    return bundle.get("type") == "bundle" and any(_number(item) for item in objects_of(bundle.get("objects")))


def read_capec(document: object, name: str) -> Edition:
    """Read a bundle; its version is the newest that an object of it carries."""
    objects = objects_of(object_of(document).get("objects"))
    versions = {text_of(item.get("x_capec_version")) for item in objects} - {""}
    newest = max(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)], default="unknown")
    return Edition("capec", "CAPEC", newest, 95, CAPEC_NOTICE, _records(objects, name))


def _references(item: Stix, source: str) -> list[str]:
    return [
        text_of(reference.get("external_id"))
        for reference in objects_of(item.get("external_references"))
        if reference.get("source_name") == source
    ]


def _number(item: Stix) -> str:
    if item.get("type") != "attack-pattern":
        return ""
    return next((number for number in _references(item, "capec") if _NAMED.fullmatch(number)), "")


def _records(objects: list[Stix], name: str) -> Iterator[Item]:
    numbers = {text_of(item.get("id")): _number(item) for item in objects if item.get("type") == "attack-pattern"}
    advice = {
        text_of(item.get("id")): tidy(text_of(item.get("description")))
        for item in objects
        if item.get("type") == "course-of-action"
    }
    mitigations: defaultdict[str, list[str]] = defaultdict(list)
    for item in objects:
        if item.get("relationship_type") == "mitigates":
            mitigations[text_of(item.get("target_ref"))].append(advice.get(text_of(item.get("source_ref")), ""))
    for place, item in enumerate(objects):
        if item.get("type") != "attack-pattern":
            continue
        key = text_of(item.get("id"))
        if not numbers[key] or not text_of(item.get("name")):
            raise distrust(name, f"objects[{place}]", "an attack pattern without number or name")
        advised = [text for text in mitigations[key] if text]
        yield _record(item, numbers, advised)
        yield from capec_paragraphs(item, numbers[key], advised)


def _record(item: Stix, numbers: dict[str, str], mitigations: list[str]) -> Record:
    number = numbers[text_of(item["id"])]
    text = tidy(text_of(item.get("description")))
    extended = tidy(text_of(item.get("x_capec_extended_description")))
    paragraphs = [text, extended]
    for title, parts in (
        ("Prerequisites", [tidy(part) for part in texts_of(item.get("x_capec_prerequisites"))]),
        ("Mitigations", mitigations),
    ):
        if parts:
            paragraphs.append(f"{title}: " + "\n".join(parts))
    state = "deprecated" if item.get("x_capec_status") in {"Deprecated", "Obsolete"} else ""
    others = [other for other in _NAMED.findall(text) if other != number]
    links = [("weakness", weakness) for weakness in _references(item, "cwe")]
    links += [("technique", technique) for technique in _references(item, "ATTACK")]
    links += [
        (relation, numbers[reference])
        for relation, field in _RELATIONS
        for reference in texts_of(item.get(field))
        if numbers.get(reference)
    ]
    facts = [("source", "capec")]
    facts += [
        (label, text_of(item.get(field)))
        for label, field in (
            ("abstraction", "x_capec_abstraction"),
            ("likelihood", "x_capec_likelihood_of_attack"),
            ("severity", "x_capec_typical_severity"),
        )
        if text_of(item.get(field))
    ]
    return Record(
        id=number,
        kind="attack-pattern",
        names=distinct([text_of(item["name"])]),
        text="\n\n".join(part for part in paragraphs if part),
        uuid=text_of(item["id"]).partition("--")[2],
        state=state,
        successor=others[0] if state and others else "",
        url=f"https://capec.mitre.org/data/definitions/{number.removeprefix('CAPEC-')}.html",
        facts=tuple(facts),
        links=tuple(dict.fromkeys(links)),
    )

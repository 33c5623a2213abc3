"""ATT&CK as STIX bundles: Enterprise, Mobile and ICS (github.com/mitre-attack/attack-stix-data, docs/ATTACKDATA)."""

from collections import defaultdict
from collections.abc import Iterator

from casemate.knowledge.kinds import ATTACK_NOTICE
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
from casemate.knowledge.sources.attack_parts import attack_paragraphs

Stix = dict[str, object]

STIX_KINDS = {
    "attack-pattern": "technique",
    "x-mitre-tactic": "tactic",
    "course-of-action": "mitigation",
    "intrusion-set": "actor",
    "malware": "malware",
    "tool": "tool",
    "campaign": "campaign",
    "x-mitre-data-source": "data-source",
    "x-mitre-data-component": "data-component",
    "x-mitre-detection-strategy": "detection",
    "x-mitre-analytic": "detection",
    "x-mitre-asset": "asset",
}
DOMAINS = {
    "enterprise-attack": ("Enterprise", 99),
    "mobile-attack": ("Mobile", 98),
    "ics-attack": ("ICS", 97),
}
_OLDER_FACTS = (
    ("data-source", "x_mitre_data_sources"),
    ("permission", "x_mitre_permissions_required"),
    ("effective-permission", "x_mitre_effective_permissions"),
    ("defense-bypassed", "x_mitre_defense_bypassed"),
    ("system-requirement", "x_mitre_system_requirements"),
    ("impact-type", "x_mitre_impact_type"),
)
"""What editions before v18 say of a technique, and older questions and rules ask for."""

_SOURCES = ("mitre-attack", "mitre-mobile-attack", "mitre-ics-attack")


def is_attack(document: object) -> bool:
    """Tell whether a JSON document is a STIX bundle of ATT&CK: some object of it is numbered by ATT&CK."""
    bundle = object_of(document)
    return bundle.get("type") == "bundle" and any(_outer_id(item)[0] for item in objects_of(bundle.get("objects")))


def read_attack(document: object, name: str) -> Edition:
    """Read a bundle; its version is that of its collection, else the date of its newest object."""
    objects = objects_of(object_of(document).get("objects"))
    domain = _domain_of(objects)
    title, rank = DOMAINS[domain]
    collection: Stix = next((item for item in objects if item.get("type") == "x-mitre-collection"), {})
    newest = max((text_of(item.get("modified"))[:10] for item in objects), default="")
    version = text_of(collection.get("x_mitre_version")) or f"as of {newest}"
    items = _records(objects, domain, name)
    return Edition(domain, f"ATT&CK {title}", version, rank, ATTACK_NOTICE, items)


def _domain_of(objects: list[Stix]) -> str:
    votes: dict[str, int] = dict.fromkeys(DOMAINS, 0)
    for item in objects:
        if item.get("type") == "x-mitre-matrix" and (outer := _outer_id(item)[0]) in votes:
            votes[outer] += len(objects)
        for domain in texts_of(item.get("x_mitre_domains")):
            if domain in votes:
                votes[domain] += 1
    return max(votes, key=lambda domain: votes[domain])


def _outer_id(item: Stix) -> tuple[str, str]:
    """Return the ATT&CK id and page of an object, empty when it has none."""
    for reference in objects_of(item.get("external_references")):
        if reference.get("source_name") in _SOURCES and text_of(reference.get("external_id")):
            return text_of(reference["external_id"]), text_of(reference.get("url"))
    return "", ""


def _bare(stix_id: object) -> str:
    return text_of(stix_id).partition("--")[2]


def _public_id(item: Stix) -> str:
    outer = _outer_id(item)[0]
    # Mitigations of before 2019 carry the number of the technique they answer.
    if item.get("type") == "course-of-action" and not outer.startswith("M"):
        outer = ""
    return outer or _bare(item.get("id"))


def _records(objects: list[Stix], domain: str, name: str) -> Iterator[Item]:
    known: dict[str, Stix] = {}
    for place, item in enumerate(objects):
        if item.get("type") in STIX_KINDS:
            if not (_bare(item.get("id")) and text_of(item.get("name"))):
                raise distrust(name, f"objects[{place}]", "an object without id or name")
            known[text_of(item["id"])] = item
    ids = {key: _public_id(item) for key, item in known.items()}
    links, successors = _links(objects, known, ids)
    chosen: dict[str, str] = {}  # of two objects with one number, the one in force
    for key, item in known.items():
        rival = known.get(chosen.get(ids[key], ""))
        if rival is None or (_state(rival) and not _state(item)):
            chosen[ids[key]] = key
    titles = {outer: text_of(known[key]["name"]) for outer, key in chosen.items()}
    for key in chosen.values():
        yield _record(known[key], ids[key], domain, links[key], successors.get(key, ""), titles)
    yield from _procedures(objects, known, ids, domain)
    yield from attack_paragraphs(objects, known, ids)


def _state(item: Stix) -> str:
    if item.get("revoked") is True:
        return "revoked"
    return "deprecated" if item.get("x_mitre_deprecated") is True else ""


def _links(
    objects: list[Stix], known: dict[str, Stix], ids: dict[str, str]
) -> tuple[defaultdict[str, list[tuple[str, str]]], dict[str, str]]:
    links: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    successors: dict[str, str] = {}
    for item in objects:
        source, target = text_of(item.get("source_ref")), text_of(item.get("target_ref"))
        if item.get("type") != "relationship" or source not in known or target not in known or _state(item):
            continue
        relation = text_of(item.get("relationship_type"))
        if relation == "revoked-by":
            successors[source] = ids[target]
            continue
        links[source].append((relation, ids[target]))
        if relation == "mitigates":
            links[target].append(("mitigated-by", ids[source]))
    for key, item in known.items():
        for reference in texts_of(item.get("x_mitre_analytic_refs")):
            if reference in known:
                links[key].append(("analytic", ids[reference]))
    return links, successors


def _record(
    item: Stix, outer: str, domain: str, links: list[tuple[str, str]], successor: str, titles: dict[str, str]
) -> Record:
    kind = STIX_KINDS[text_of(item["type"])]
    facts = [("source", domain)]
    facts += [("tactic", text_of(phase.get("phase_name"))) for phase in objects_of(item.get("kill_chain_phases"))]
    if shortname := text_of(item.get("x_mitre_shortname")):
        facts.append(("shortname", shortname))
    facts += [("platform", platform) for platform in texts_of(item.get("x_mitre_platforms"))]
    facts += [(label, tidy(value)) for label, field in _OLDER_FACTS for value in texts_of(item.get(field))]
    facts += [
        (label, text_of(item.get(field))[:10])
        for label, field in (
            ("version", "x_mitre_version"),
            ("created", "created"),
            ("modified", "modified"),
            ("first-seen", "first_seen"),
            ("last-seen", "last_seen"),
        )
        if text_of(item.get(field))
    ]
    names = [text_of(item["name"]), *texts_of(item.get("aliases")), *texts_of(item.get("x_mitre_aliases"))]
    parent = outer.partition(".")[0] if kind == "technique" and "." in outer else ""
    if parent:
        above = titles.get(parent, "")
        names += [f"{above}: {names[0]}"] if above else []
    return Record(
        id=outer,
        kind=kind,
        names=distinct(names),
        text=tidy(text_of(item.get("description"))),
        uuid=_bare(item["id"]),
        state=_state(item),
        successor=successor,
        url=_outer_id(item)[1],
        facts=tuple(dict.fromkeys(facts)),
        links=tuple(dict.fromkeys(links)),
    )


def _procedures(objects: list[Stix], known: dict[str, Stix], ids: dict[str, str], domain: str) -> Iterator[Record]:
    for item in objects:
        source, target = text_of(item.get("source_ref")), text_of(item.get("target_ref"))
        text = tidy(text_of(item.get("description")))
        if item.get("relationship_type") != "uses" or not text or _state(item):
            continue
        user, used = known.get(source), known.get(target)
        if user is None or used is None or used.get("type") != "attack-pattern" or _state(used):
            continue
        yield Record(
            id=_bare(item.get("id")),
            kind="procedure",
            names=(f"{text_of(user['name'])} uses {text_of(used['name'])}",),
            text=text,
            url=_outer_id(used)[1],
            facts=(("source", domain),),
            links=(("user", ids[source]), ("technique", ids[target])),
        )

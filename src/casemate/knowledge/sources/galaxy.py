"""MISP galaxy clusters (github.com/MISP/misp-galaxy): ATT&CK, threat actors, malware and tools with synonyms."""

import re
from collections.abc import Iterator

from casemate.knowledge.kinds import ENTERPRISE_TACTICS, GALAXY_NOTICE
from casemate.knowledge.records import (
    Edition,
    Record,
    distinct,
    distrust,
    list_of,
    object_of,
    objects_of,
    text_of,
    texts_of,
    tidy,
)

CLUSTER_KINDS = {
    "mitre-attack-pattern": "technique",
    "mitre-atlas-attack-pattern": "technique",
    "mitre-course-of-action": "mitigation",
    "mitre-atlas-course-of-action": "mitigation",
    "mitre-intrusion-set": "actor",
    "mitre-malware": "malware",
    "mitre-tool": "tool",
    "mitre-data-source": "data-source",
    "mitre-data-component": "data-component",
    "threat-actor": "actor",
    "microsoft-activity-group": "actor",
    "360net-threat-actor": "actor",
    "malpedia": "malware",
    "ransomware": "malware",
    "rat": "malware",
    "stealer": "malware",
    "banker": "malware",
    "botnet": "malware",
    "android": "malware",
    "backdoor": "malware",
    "exploit-kit": "malware",
    "cryptominers": "malware",
    "tds": "tool",
    "tool": "tool",
}
"""The clusters we read, by their `type`; the others are about other things than attackers and their means."""

_PUBLIC = re.compile(r"(?:T\d{4}(?:\.\d{3})?|[MGS]\d{4}|(?:DS|DC|TA)\d{4}|AML\.[TM]\d{4}(?:\.\d{3})?)")
_SUFFIX = re.compile(r" - (?:T\d{4}(?:\.\d{3})?|(?:[MGSC]|DS|DC|TA)\d{4})$")
_MOST_REFERENCES = 3


def is_galaxy(document: object) -> bool:
    """Tell a cluster by its type beside its values."""
    cluster = object_of(document)
    return isinstance(cluster.get("values"), list) and "type" in cluster and "uuid" in cluster


def read_galaxy(document: object, name: str) -> Edition:
    """Read one cluster; `NotTrusted` for a cluster of things that are no part of the knowledge."""
    cluster = object_of(document)
    kind = text_of(cluster.get("type"))
    if kind not in CLUSTER_KINDS:
        raise distrust(name, "type", f"a galaxy of {kind!r}, which casemate has no use for")
    items = cluster_records([(name, cluster)])
    title = f"MISP galaxy {kind}"
    return Edition(f"misp-galaxy/{kind}", title, str(cluster.get("version", "")), 35, GALAXY_NOTICE, items)


def cluster_records(clusters: list[tuple[str, dict[str, object]]]) -> Iterator[Record]:
    """Yield the records of several clusters that link to one another, each given with its file's name."""
    ids: dict[str, str] = {}
    for name, cluster in clusters:
        for place, value in enumerate(objects_of(cluster.get("values"))):
            if not text_of(value.get("uuid")) or not text_of(value.get("value")):
                raise distrust(name, f"values[{place}]", "a value without uuid or name")
            ids[text_of(value["uuid"])] = _public_id(value, CLUSTER_KINDS[text_of(cluster.get("type"))])
    seen: set[str] = set()
    for _, cluster in clusters:
        for value in sorted(objects_of(cluster.get("values")), key=lambda value: bool(value.get("revoked"))):
            if ids[text_of(value["uuid"])] not in seen:
                seen.add(ids[text_of(value["uuid"])])
                yield _record(value, text_of(cluster.get("type")), ids)


def _public_id(value: dict[str, object], kind: str) -> str:
    outer = text_of(object_of(value.get("meta")).get("external_id"))
    # Mitigations of before 2019 carry the number of the technique they answer.
    if _PUBLIC.fullmatch(outer) and (kind != "mitigation" or outer[0] != "T"):
        return outer
    return text_of(value["uuid"])


def _record(value: dict[str, object], source: str, ids: dict[str, str]) -> Record:
    meta = object_of(value.get("meta"))
    kind = CLUSTER_KINDS[source]
    number = ids[text_of(value["uuid"])]
    links: list[tuple[str, str]] = []
    successor = ""
    for related in objects_of(value.get("related")):
        target = ids.get(text_of(related.get("dest-uuid")), text_of(related.get("dest-uuid")))
        if related.get("type") == "revoked-by":
            successor = target
        elif target:
            links.append((text_of(related.get("type")).strip(), target))
    if (
        kind == "technique"
        and "." in number.removeprefix("AML.")
        and not any(link[0] == "subtechnique-of" for link in links)
    ):
        links.append(("subtechnique-of", number.rpartition(".")[0]))
    chain = texts_of(meta.get("kill_chain"))
    facts = [("source", source), *_facts(meta, chain)]
    references = [text for text in texts_of(meta.get("refs")) if text.startswith(("http://", "https://"))]
    return Record(
        id=number,
        kind=kind,
        names=distinct([_SUFFIX.sub("", text_of(value["value"])), *texts_of(meta.get("synonyms"))]),
        text=tidy(text_of(value.get("description"))),
        uuid=text_of(value["uuid"]),
        state=_state(value, kind, number, chain, successor),
        successor=successor,
        url=references[0] if references else "",
        facts=tuple(dict.fromkeys((*facts, *(("reference", text) for text in references[:_MOST_REFERENCES])))),
        links=tuple(dict.fromkeys(links)),
    )


def _facts(meta: dict[str, object], chain: list[str]) -> Iterator[tuple[str, str]]:
    tactics = {phase.rpartition(":")[2] for phase in chain}
    order = {name: place for place, (name, _, _) in enumerate(ENTERPRISE_TACTICS)}
    for tactic in sorted(tactics, key=lambda tactic: (order.get(tactic, len(order)), tactic)):
        yield "tactic", tactic
    for platform in texts_of(meta.get("mitre_platforms")):
        yield "platform", platform
    for source in texts_of(meta.get("mitre_data_sources")):
        yield "data-source", tidy(source)
    for label in ("country", "cfr-suspected-state-sponsor", "motive", "date"):
        for value in texts_of(meta.get(label)):
            yield label, tidy(value)
    for label in ("extensions", "type"):
        for item in list_of(meta.get(label))[:5]:
            if isinstance(item, str) and item:
                yield label.removesuffix("s"), tidy(item)


def _state(value: dict[str, object], kind: str, number: str, chain: list[str], successor: str) -> str:
    if value.get("revoked") is True or successor:
        return "revoked"
    # PRE-ATT&CK was withdrawn with ATT&CK v8, the numberless mitigations with the 2019 ones.
    retired = bool(chain) and all(phase.startswith("pre-attack") for phase in chain)
    if retired or (kind == "mitigation" and not _PUBLIC.fullmatch(number)):
        return "deprecated"
    return "deprecated" if tidy(text_of(value.get("description"))).startswith("**This technique has been dep") else ""

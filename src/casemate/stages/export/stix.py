"""The case as a STIX 2.1 bundle (OASIS Standard, 10 June 2021)."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from casemate.core.case import Case
from casemate.core.digest import canonical_json
from casemate.core.finding import Finding
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.plain import plain
from casemate.core.text import Span, Texts
from casemate.stages.export.seen import Seen, times_seen
from casemate.stages.export.stix_observables import SCO_TYPES, objects_of
from casemate.stages.export.view import (
    Note,
    banner,
    disposition_word,
    kept,
    name_of,
    number_citations,
    public_id,
    verdict_of,
)

Object = dict[str, object]

# OASIS, "TLP 2.0 marking definition" (cti-stix-common-objects): the extension and the ids of its five markings.
_TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP_CREATED = "2022-10-01T00:00:00.000Z"
TLP_IDS = {
    Marking.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Marking.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Marking.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Marking.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Marking.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}

NAMESPACE = UUID("6f0c3f0e-6b0f-4a51-9d54-0f6f2f6d8a11")  # ours, for everything that is no cyber-observable
_IDENTITY_CREATED = "2026-01-01T00:00:00.000Z"
_MOST = 999_999_999  # number_observed, section 4.14
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
_PHASE = re.compile("[a-z][a-z-]*")
_REPORT_TYPES = ("attack-pattern", "intrusion-set", "malware", "threat-actor", "tool", "vulnerability")


@dataclass(frozen=True, slots=True)
class Common:
    """What every object of one bundle shares."""

    case: str
    created: str
    modified: str
    identity: str
    marking: str
    drafted: bool

    def id(self, type_: str, *key: str) -> str:
        """Name an object by its case, type and key: the same for the same."""
        name = canonical_json([self.case, type_, *key]).decode("utf-8", "replace")
        return f"{type_}--{uuid5(NAMESPACE, name)}"

    def made(self, type_: str, key: Sequence[str], labels: Iterable[str] = (), **properties: object) -> Object:
        """Put an object together; empty properties are left out, a draft is labelled."""
        marks = [*(["unreviewed"] if self.drafted else []), *labels]
        return {
            "type": type_,
            "spec_version": "2.1",
            "id": self.id(type_, *key),
            "created_by_ref": self.identity,
            "created": self.created,
            "modified": self.modified,
            "object_marking_refs": [self.marking],
            **({"labels": list(dict.fromkeys(marks))} if marks else {}),
            **{name: value for name, value in properties.items() if value not in (None, "", [], ())},
        }


def render_stix(case: Case, texts: Texts) -> bytes:
    """Write a bundle: the same case gives the same bytes.

    A draft is a `grouping`, a reviewed case a `report`; findings become the domain objects STIX has for them and a
    `note` each; observables become cyber-observable objects held by `observed-data`. Nothing is an `indicator` but a
    YARA or Sigma rule that stood whole in the evidence: what was seen is not what should be looked for.
    """
    notes = number_citations(case, texts)
    identity = identity_object()
    changed = max([case.created, *(review.time for review in case.reviews)])
    common = Common(
        case.id,
        stix_time(case.created),
        stix_time(changed),
        str(identity["id"]),
        TLP_IDS[case.marking],
        not case.reviewed,
    )
    domain, of_finding = _domain_objects(case, common)
    observed, left = _observed(case, common)
    members = [*domain.values(), *observed]
    rules = [rule for finding in kept(case) if (rule := _rule(finding, common, case))]
    members += rules
    told = _assessment(case, common, notes, members)
    container = _container(case, common, [told, *members], changed)
    about = [_finding_note(case, finding, common, notes, of_finding, container) for finding in kept(case)]
    if left:
        about.append(_left_over(left, common, container))
    objects = [told, *members, *about]
    ordered = [identity, marking_object(case.marking), container, *sorted(objects, key=lambda one: str(one["id"]))]
    bundle = {"type": "bundle", "id": f"bundle--{uuid5(NAMESPACE, ascii_json(ordered))}", "objects": ordered}
    checked(ordered)
    return ascii_json(bundle).encode("ascii") + b"\n"


# The library checks a cyber-observable in more than a millisecond, and a case can hold 200,000 of them; their forms
# are checked where they are made.
_CHECKED_ELSEWHERE = frozenset({*SCO_TYPES, "observed-data"})


def checked(objects: Iterable[Object]) -> None:
    """Have the library parse every object whose form is not checked where it is made; it raises for a wrong one."""
    import stix2

    for one in objects:
        if one["type"] not in _CHECKED_ELSEWHERE:
            stix2.parse(one, version="2.1")


def ascii_json(value: object) -> str:
    """Write JSON in ASCII without white space."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def stix_time(time: datetime) -> str:
    """Write a time as STIX does, in milliseconds."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identity_object() -> Object:
    """Make the identity that everything is created by."""
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": f"identity--{uuid5(NAMESPACE, 'casemate')}",
        "created": _IDENTITY_CREATED,
        "modified": _IDENTITY_CREATED,
        "name": "casemate",
        "description": "Software that proposes; a named person decides.",
        "identity_class": "system",
    }


def marking_object(marking: Marking) -> Object:
    """Make the marking definition of a TLP 2.0 label."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": TLP_IDS[marking],
        "created": _TLP_CREATED,
        "name": marking.label,
        "extensions": {_TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": marking.value}},
    }


def _domain_objects(case: Case, common: Common) -> tuple[dict[str, Object], dict[str, str]]:
    """Make one domain object for each distinct thing the findings and observables name; and finding id -> object id."""
    made: dict[str, Object] = {}
    of_finding: dict[str, str] = {}
    for finding in kept(case):
        type_ = _type_of(finding)
        if type_ is None:
            continue
        one = _domain_object(case, finding, type_, common)
        of_finding[finding.id] = str(one["id"])
        made.setdefault(str(one["id"]), one)
    for seen in case.observables:
        if seen.type == "vulnerability" and public_id_of(seen.value):
            key = ("vulnerability", seen.value)
            one = common.made("vulnerability", key, name=seen.value, external_references=public_references(seen.value))
            made.setdefault(str(one["id"]), one)
    return made, of_finding


def public_id_of(text: str) -> str:
    """Give the text back when it is a CVE or GHSA id, else nothing."""
    return text if re.fullmatch(r"CVE-\d{4}-\d{4,19}|GHSA(-[23456789cfghjmpqrvwx]{4}){3}", text) else ""


def _type_of(finding: Finding) -> str | None:
    """Choose the STIX type for a finding; None for kinds STIX has no object for and for names with several meanings."""
    if finding.candidates:
        return None
    if finding.kind == "technique" and _TECHNIQUE.fullmatch(finding.reference):
        return "attack-pattern"
    if finding.kind == "vulnerability" and public_id_of(finding.reference):
        return "vulnerability"
    if finding.kind == "actor" and (finding.reference or finding.title):
        return "intrusion-set" if public_id(finding).startswith("G") else "threat-actor"
    return finding.kind if finding.kind in {"malware", "tool"} and (finding.reference or finding.title) else None


def _domain_object(case: Case, finding: Finding, type_: str, common: Common) -> Object:
    name = public_id(finding) if type_ == "vulnerability" else plain(name_of(finding)) or plain(finding.reference)
    tactics = [
        value
        for passage in case.passages
        if passage.kind == "technique" and passage.id == finding.reference
        for kind, value in passage.facts
        if kind == "tactic" and _PHASE.fullmatch(value)
    ]
    phases = [{"kill_chain_name": "mitre-attack", "phase_name": tactic} for tactic in dict.fromkeys(tactics)]
    return common.made(
        type_,
        (type_, finding.reference or finding.title),
        [verdict_of(case, finding)],
        name=name,
        confidence=_confidence(finding),
        external_references=public_references(public_id(finding)),
        kill_chain_phases=phases if type_ == "attack-pattern" else None,
        is_family=True if type_ == "malware" else None,
    )


def _confidence(finding: Finding) -> int | None:
    return None if finding.probability is None else round(finding.probability * 100)


def public_references(id_: str) -> list[Object]:
    """Name the public id in the way STIX asks for (section 2.5.2)."""
    if not id_:
        return []
    if _TECHNIQUE.fullmatch(id_):
        path = id_.replace(".", "/")
        return [
            {"source_name": "mitre-attack", "external_id": id_, "url": f"https://attack.mitre.org/techniques/{path}"}
        ]
    kinds = {"CVE": "cve", "CWE": "cwe", "CAPEC": "capec", "GHSA": "ghsa"}
    source = kinds.get(id_.partition("-")[0], "mitre-attack")
    return [{"source_name": source, "external_id": id_}]


def _observed(case: Case, common: Common) -> tuple[list[Object], list[Observable]]:
    """Make the cyber-observable objects, and one `observed-data` for all that were seen at the same times as often."""
    scos: dict[str, Object] = {}
    groups: dict[tuple[Seen, int, tuple[str, ...]], set[str]] = {}
    left: list[Observable] = []
    times = times_seen(case)
    for seen in case.observables:
        objects = objects_of(seen)
        if not objects:
            if not (seen.type == "vulnerability" and public_id_of(seen.value)):
                left.append(seen)
            continue
        for one in objects:
            scos.setdefault(str(one["id"]), {**one, "object_marking_refs": [common.marking]})
        key = (times(seen), min(seen.count, _MOST), tuple(sorted(seen.flags)))
        groups.setdefault(key, set()).update(str(one["id"]) for one in objects)
    watched = [
        common.made(
            "observed-data",
            [stix_time(when.first), stix_time(when.last), str(number), *flags],
            ["warning-list", *map(plain, flags)] if flags else [],
            first_observed=stix_time(when.first),
            last_observed=stix_time(when.last),
            number_observed=number,
            object_refs=sorted(ids),
        )
        for (when, number, flags), ids in groups.items()
    ]
    return [*scos.values(), *watched], left


def _rule(finding: Finding, common: Common, case: Case) -> Object | None:
    """Make an indicator of a detection rule that stands whole in the evidence."""
    kind, _, name = finding.reference.partition(":")
    if finding.kind != "rule" or kind not in {"yara", "sigma"} or not finding.citations:
        return None
    text = finding.citations[0].quote.strip()
    whole = (
        text.endswith("}") and text.count("{") == text.count("}")
        if kind == "yara"
        else "detection:" in text and "condition:" in text
    )
    if not whole:
        return None
    return common.made(
        "indicator",
        (finding.reference, text),
        [verdict_of(case, finding)],
        name=plain(name) or finding.id,
        description="A rule that stood in the evidence, as received.",
        pattern=text.encode("utf-8", "replace").decode("utf-8"),
        pattern_type=kind,
        valid_from=common.created,
        indicator_types=["unknown"],
    )


def _assessment(case: Case, common: Common, notes: dict[Span, Note], about: Sequence[Object]) -> Object:
    proposal = case.assessment.proposal
    kind = "Disposition" if case.reviewed else "Proposed disposition"
    lines = [banner(case)] if banner(case) else []
    lines.append(f"{kind}: {disposition_word(case.disposition)}. Priority {proposal.priority} of 5.")
    lines += [f"- {plain(reason)}" for reason in proposal.reasons]
    for sentence in case.assessment.summary:
        lines.append(plain(sentence.text))
        lines += [f"  {_quoted(notes[citation.span])}" for citation in sentence.citations]
    lines += [f"To ask: {plain(question)}" for question in case.assessment.questions]
    refs = sorted(str(one["id"]) for one in about if one["type"] in (*_REPORT_TYPES, "observed-data", "indicator"))
    authors = sorted({plain(review.reviewer) for review in case.reviews if review.reviewer})
    return common.made(
        "note",
        ["assessment"],
        abstract=f"{kind}: {disposition_word(case.disposition)}",
        content="\n".join(lines),
        authors=authors,
        object_refs=refs or [common.identity],
    )


def _quoted(note: Note) -> str:
    return f"{plain(note.source)}, {plain(note.where)}: “{plain(note.citation.quote)}”"


def _container(case: Case, common: Common, members: Sequence[Object], changed: datetime) -> Object:
    evidence = [
        {"source_name": "evidence", "description": plain(one.source) or "unnamed", "external_id": one.id}
        for one in case.evidence
    ]
    name = plain(case.title) or plain(case.id) or "case"
    words = f"{case.marking.label}. Case {plain(case.id)}."
    refs = sorted(str(one["id"]) for one in members)
    if not case.reviewed:
        return common.made(
            "grouping",
            ["case"],
            name=name,
            description=f"{banner(case)} {words}",
            context="suspicious-activity",
            external_references=evidence,
            object_refs=refs,
        )
    present = {str(one["type"]) for one in members}
    return common.made(
        "report",
        ["case"],
        name=name,
        description=f"{words} Disposition: {disposition_word(case.disposition)}.",
        report_types=[kind for kind in _REPORT_TYPES if kind in present] or ["observed-data"],
        published=stix_time(changed),
        external_references=evidence,
        object_refs=refs,
    )


def _finding_note(
    case: Case,
    finding: Finding,
    common: Common,
    notes: dict[Span, Note],
    of_finding: dict[str, str],
    container: Object,
) -> Object:
    lines = [plain(finding.title), *map(plain, finding.detail.split("\n"))]
    if finding.candidates:
        lines.append(f"May mean: {', '.join(map(plain, finding.candidates))}; none was picked.")
    lines += [_quoted(notes[citation.span]) for citation in finding.citations]
    return common.made(
        "note",
        ["finding", finding.id],
        [verdict_of(case, finding), f"finding:{plain(finding.kind)}"],
        abstract=f"{plain(finding.id)} {plain(finding.kind)}: {plain(finding.title)}",
        content="\n".join(line for line in lines if line) or plain(finding.id),
        confidence=_confidence(finding),
        external_references=public_references(public_id(finding)),
        object_refs=[of_finding.get(finding.id, str(container["id"]))],
    )


def _left_over(left: Sequence[Observable], common: Common, container: Object) -> Object:
    lines = [
        f"{seen.type} {seen.hash} {plain(seen.value)} (seen {seen.count} times)".replace("  ", " ") for seen in left
    ]
    return common.made(
        "note",
        ["observables"],
        abstract="Observables that STIX 2.1 has no object for",
        content="\n".join(lines),
        object_refs=[str(container["id"])],
    )

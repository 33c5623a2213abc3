"""Relations read off a case as STIX 2.1 relationships: every one with its sentence, all of them marked as a draft."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid5

from casemate.core.case import Case
from casemate.core.finding import Citation
from casemate.core.observable import Observable
from casemate.core.plain import plain
from casemate.stages.export.stix import (
    NAMESPACE,
    TLP_IDS,
    Common,
    Object,
    ascii_json,
    checked,
    identity_object,
    marking_object,
    public_references,
    stix_time,
)
from casemate.stages.export.stix_observables import SCO_TYPES, objects_of


@dataclass(frozen=True, slots=True)
class End:
    """One end of a relation: a STIX type, the canonical name or value, and the public id if it has one.

    Of a location `reference` is its ISO 3166-1 code of two letters, or its name in `region-ov`.
    """

    type: str
    name: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A relation as it is exported, with the sentence that says it; `basis` is `named` or `model`."""

    subject: End
    relationship: str
    object: End
    citation: Citation
    basis: str
    hedged: bool = False


def render_relations(case: Case, relations: Sequence[Told]) -> bytes:
    """Write a bundle of the ends and the relationships between them; the same relations give the same bytes.

    Everything is labelled `unreviewed`: a relation that was read off a text, by code or by a model, is a proposal.
    """
    identity = identity_object()
    created = stix_time(case.created)
    common = Common(case.id, created, created, str(identity["id"]), TLP_IDS[case.marking], drafted=True)
    ends: dict[End, Object | None] = {}
    extra: list[Object] = []
    for one in relations:
        for end in (one.subject, one.object):
            if end not in ends:
                made, others = _end(end, case, common)
                ends[end] = made
                extra += others
    links = []
    for one in relations:
        source, target = ends[one.subject], ends[one.object]
        if source is not None and target is not None:
            links.append(_link(one, source, target, common, case))
    kept = [made for made in ends.values() if made is not None]
    members: Mapping[str, Object] = {str(one["id"]): one for one in (*kept, *extra, *links)}
    ordered = [identity, marking_object(case.marking), *sorted(members.values(), key=lambda one: str(one["id"]))]
    bundle = {"type": "bundle", "id": f"bundle--{uuid5(NAMESPACE, ascii_json(ordered))}", "objects": ordered}
    checked(ordered)
    return ascii_json(bundle).encode("ascii") + b"\n"


def _end(end: End, case: Case, common: Common) -> tuple[Object | None, list[Object]]:
    if end.type not in SCO_TYPES:
        return _domain(end, common), []
    held = next(
        (one for one in case.observables if one.type == end.type and one.value == end.name),
        Observable(end.type, end.name, end.name, 1, ()),
    )
    objects: list[Object] = [{**one, "object_marking_refs": [common.marking]} for one in objects_of(held)]
    if not objects:
        return None, []  # not well-formed for STIX, a URL without a scheme say
    return objects[0], objects[1:]


def _domain(end: End, common: Common) -> Object:
    name = plain(end.name) or plain(end.reference) or "unnamed"
    more: dict[str, object] = {}
    references = public_references(end.reference)
    if end.type == "malware":
        more["is_family"] = True
    elif end.type == "identity":
        more |= {"identity_class": "class", "sectors": [end.name]}
    elif end.type == "location":
        references = []
        more["country" if len(end.reference) == 2 else "region"] = end.reference
    elif end.type == "vulnerability":
        references = public_references(end.name)
    key = (end.type, end.name, end.reference)
    return common.made(end.type, key, (), name=name, external_references=references, **more)


def _link(one: Told, origin: Object, target: Object, common: Common, case: Case) -> Object:
    source = next((item.source for item in case.evidence if item.id == one.citation.span.evidence), "")
    said = "The sentence leaves it open. " if one.hedged else ""
    how = "proposed by a language model" if one.basis == "model" else "read by code"
    return common.made(
        "relationship",
        (one.subject.type, one.subject.name, one.relationship, one.object.type, one.object.name),
        [how.replace(" ", "-")],
        relationship_type=one.relationship,
        source_ref=origin["id"],
        target_ref=target["id"],
        description=f"{said}{plain(source)}, line {one.citation.line}: “{plain(one.citation.quote)}”",
        confidence=15 if one.hedged else None,
        external_references=[
            {
                "source_name": "evidence",
                "description": plain(source) or "unnamed",
                "external_id": one.citation.span.evidence,
            }
        ],
    )

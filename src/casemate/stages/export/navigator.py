"""The techniques of a case as an ATT&CK Navigator layer (layer format 4.5, mitre-attack/attack-navigator)."""

import json
import re

from casemate.core.case import Case
from casemate.core.finding import Finding
from casemate.core.plain import plain
from casemate.core.text import Texts
from casemate.stages.export.view import banner, kept, number_citations, verdict_of

_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
_ICS = re.compile(r"T0\d{3}")  # techniques of the ICS matrix, which an enterprise layer cannot show
_SCORE = {"named": 100, "computed": 100, "specialist": 50, "model": 50, "looked-up": 50}
_COLOURS = ["#fff3c4", "#f59f00", "#c92a2a"]


def render_navigator(case: Case, texts: Texts) -> bytes:
    """Write a layer for the enterprise matrix: score, comment and evidence lines for each technique.

    The score is the probability in percent; where nothing was estimated, 100 for what evidence names or code computed
    and 50 otherwise. The highest of several findings counts. A rejected finding is left out.
    """
    notes = number_citations(case, texts)
    groups: dict[str, list[Finding]] = {}
    for finding in kept(case):
        if finding.kind == "technique" and _TECHNIQUE.fullmatch(finding.reference):
            groups.setdefault(finding.reference, []).append(finding)
    other = sorted(id_ for id_ in groups if _ICS.match(id_))
    places = {
        finding.id: [f"{plain(notes[c.span].source)}, {plain(notes[c.span].where)}" for c in finding.citations]
        for group in groups.values()
        for finding in group
    }
    description = " ".join(
        part
        for part in (
            banner(case),
            f"{case.marking.label}. Case {plain(case.id)}: {plain(case.title)}.",
            f"Not of the enterprise matrix: {', '.join(other)}." if other else "",
        )
        if part
    )
    prefix = "" if case.reviewed else "UNREVIEWED "
    layer = {
        "name": f"{prefix}{case.marking.label} {plain(case.id)}"[:200],
        "versions": {"layer": "4.5", "navigator": "5.1.0", **_attack_version(case)},
        "domain": "enterprise-attack",
        "description": description,
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "hideDisabled": False,
        "techniques": [_technique(case, id_, groups[id_], places) for id_ in sorted(groups) if id_ not in other],
        "gradient": {"colors": _COLOURS, "minValue": 0, "maxValue": 100},
        "legendItems": [],
        "metadata": _pairs(
            [
                ("marking", case.marking.label),
                ("review", "reviewed" if case.reviewed else "unreviewed"),
                ("disposition", case.disposition.value),
            ]
        ),
        "links": [],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
        "selectVisibleTechniques": False,
    }
    return json.dumps(layer, indent=2).encode("ascii") + b"\n"


def _attack_version(case: Case) -> dict[str, str]:
    for release in case.run.releases:
        if "att&ck" in release.name.lower() and release.version[:1].isdigit():
            return {"attack": release.version.split(".")[0]}
    return {}


def _technique(case: Case, id_: str, findings: list[Finding], places: dict[str, list[str]]) -> dict[str, object]:
    words = [f"{finding.id} {finding.title}: {finding.detail}".rstrip(": ") for finding in findings]
    facts: list[tuple[str, str]] = []
    for finding in findings:
        facts.append((f"{finding.id} review", verdict_of(case, finding)))
        facts.append((f"{finding.id} basis", finding.basis))
        facts += [(f"{finding.id} evidence", place) for place in places[finding.id]]
    return {
        "techniqueID": id_,
        "score": max(map(_score, findings)),
        "comment": plain("; ".join(words)),
        "enabled": True,
        "metadata": _pairs(facts),
        "links": [],
        "showSubtechniques": "." in id_,
    }


def _score(finding: Finding) -> int:
    if finding.probability is None:
        return _SCORE.get(finding.basis, 50)
    return round(finding.probability * 100)


def _pairs(facts: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in facts if value]

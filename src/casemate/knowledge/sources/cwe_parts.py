"""What the CWE catalogue says of a weakness beside its description: consequences, phases, mitigations, examples, ..."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from casemate.knowledge.records import Paragraph, tidy

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_GROUPS = {
    "Common_Consequences": ("Consequence", "consequence and technical impact"),
    "Potential_Mitigations": ("Mitigation", "potential mitigation"),
    "Detection_Methods": ("Detection_Method", "detection method"),
    "Demonstrative_Examples": ("Demonstrative_Example", "example"),
    "Observed_Examples": ("Observed_Example", "observed example"),
    "Alternate_Terms": ("Alternate_Term", "alternate term"),
    "Weakness_Ordinalities": ("Weakness_Ordinality", "ordinality"),
    "Notes": ("Note", "note"),
    "Background_Details": ("Background_Detail", "background"),
    "Mapping_Notes": ("Rationale", "mapping note"),
}
"""The groups of a weakness: the element that repeats in each, and what its text is called."""

_LABELLED = ("Phase", "Scope", "Impact", "Likelihood", "Strategy", "Effectiveness", "Method")
_LEFT_OUT = ("Example_Code", "Reference", "References", "Link", "Entry_ID")
_PLATFORMS = {"Language": "Languages", "Technology": "Technologies", "Operating_System": "Operating systems"}


def cwe_paragraphs(element: "Element", number: str) -> Iterator[Paragraph]:
    """Yield one paragraph for each thing said of a weakness; code of examples is left out."""
    for child in element:
        group = _local(child)
        if group in _GROUPS:
            member, heading = _GROUPS[group]
            for item in child:
                text = _said(item) if _local(item) == member else ""
                if text:
                    yield Paragraph(number, "", heading, text)
        elif group == "Applicable_Platforms":
            text = _platforms(child)
            if text:
                yield Paragraph(number, "", "applicable platforms", text)
        elif group == "Modes_Of_Introduction":
            text = "\n".join(_said(item) for item in child)
            if text:
                yield Paragraph(number, "", "phases of introduction", text)
    affected = [tidy(" ".join(part.itertext())) for part in element.iter() if _local(part) == "Affected_Resource"]
    if affected:
        yield Paragraph(number, "", "affected resources", ", ".join(affected))


def _said(item: "Element") -> str:
    labelled: dict[str, list[str]] = {}
    prose = []
    if len(item) == 0 or _local(item[0]) in {"p", "div", "ul"}:
        return tidy(" ".join(item.itertext()))
    for part in item:
        name, text = _local(part), tidy(" ".join(part.itertext()))
        if name in _LABELLED:
            labelled.setdefault(name, []).append(text)
        elif name not in _LEFT_OUT and text:
            prose.append(text)
    head = " ".join(f"{name}: {', '.join(values)}." for name, values in labelled.items())
    return f"{head} {' '.join(prose)}".strip()


def _platforms(element: "Element") -> str:
    found: dict[str, list[str]] = {}
    for item in element:
        words = item.get("Name") or item.get("Class") or ""
        if words:
            found.setdefault(_local(item), []).append(f"{words} ({item.get('Prevalence', 'Undetermined')} prevalence)")
    return " ".join(f"{_PLATFORMS.get(name, name)}: {', '.join(values)}." for name, values in found.items())


def _local(element: "Element") -> str:
    return element.tag.rpartition("}")[2]

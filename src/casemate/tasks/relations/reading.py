"""Relations of a report: sentence by sentence, and off the lists below a heading such as `EMOTET C2:`."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from casemate.core.finding import Citation
from casemate.core.passage import Names
from casemate.core.text import Span
from casemate.stages.classify.units import split_units
from casemate.stages.extract.injections import find_injections
from casemate.stages.extract.relation_rows import find_row_relations
from casemate.stages.extract.relation_types import ADDRESSES
from casemate.stages.extract.relations import LIST_CHARS, Mention, Relation, find_relations
from casemate.tasks.relations.named import Scan, mentions_in

MOST_UNITS = 20_000
"""Sentences of one text that are read."""

_HEADING = re.compile(r"(?i)\b(?:c2|c&c|command[- ]and[- ]control)\b[^\n:]{0,40}:\s*$")
_ITEM = re.compile(r"^\s*(?:[-*•–]|\d{1,3}[.)])?\s*(?=\S)")


@dataclass(frozen=True, slots=True)
class CitedRelation:
    """A relation with the sentence that says it; `basis` is `named` (read by code) or `model`."""

    relation: Relation
    citation: Citation
    basis: str = "named"


Cite = Callable[[Span], Citation]


def read_relations(text: str, evidence: Span, names: Names, scan: Scan, cite: Cite) -> Iterator[CitedRelation]:
    """Read the relations of one text whose first character is that of `evidence`.

    Sentences that talk to a language model are passed over.
    """
    for unit in split_units(text, MOST_UNITS):
        if any(True for _ in find_injections(unit.text, 0)):
            continue
        mentions = mentions_in(unit.text, names, scan)
        if len(mentions) < 2:
            continue
        for relation in find_relations(unit.text, mentions) or find_row_relations(unit.text, mentions):
            yield CitedRelation(relation, cite(_span(evidence, unit.start, unit.end)))
    yield from _lists(text, evidence, names, scan, cite)


def _span(evidence: Span, start: int, end: int) -> Span:
    return Span(evidence.evidence, evidence.start + start, evidence.start + end)


def _lists(text: str, evidence: Span, names: Names, scan: Scan, cite: Cite) -> Iterator[CitedRelation]:
    """Read the addresses below a heading that says whose control servers they are; the citation reaches up to it."""
    heading: tuple[int, Mention] | None = None
    at = 0
    for line in text.splitlines(keepends=True):
        start, at = at, at + len(line)
        bare = line.strip()
        if _HEADING.search(bare) and len(bare) < 160:
            malware = [one for one in mentions_in(bare, names, scan) if one.type == "malware"]
            heading = (start + line.index(bare), malware[0]) if len({one.name for one in malware}) == 1 else None
            continue
        if heading is None or not bare:
            continue
        seen = [one for one in mentions_in(bare, names, scan) if one.type in ADDRESSES]
        lead = _ITEM.match(bare)
        if not seen or lead is None or seen[0].start > lead.end() + 12 or at - heading[0] > LIST_CHARS:
            heading = None
            continue
        begin = start + line.index(bare)
        target = replace(seen[0], start=seen[0].start, end=seen[0].end)
        relation = Relation(heading[1], "communicates-with", target, 0, 0, "C2")
        yield CitedRelation(relation, cite(_span(evidence, heading[0], begin + len(bare))))


def join_relations(found: Iterable[CitedRelation], most: int) -> tuple[CitedRelation, ...]:
    """Keep each relation once, the unhedged and the earliest first; those that code read come before a model's."""
    kept: dict[tuple[str, str, str, str, str], CitedRelation] = {}
    for one in found:
        relation = one.relation
        key = (
            relation.subject.type,
            relation.subject.name,
            relation.relationship,
            relation.object.type,
            relation.object.name,
        )
        held = kept.get(key)
        if held is None or (held.relation.hedged and not relation.hedged and held.basis == one.basis):
            kept[key] = one
    return tuple(kept.values())[:most]

"""Read relations off a row of a table or list, where there is no sentence."""

from collections.abc import Sequence

from casemate.stages.extract.relation_types import RELATED
from casemate.stages.extract.relation_words import NEGATIONS, VERBS
from casemate.stages.extract.relations import CONTROL, TOKEN, Mention, Relation

ROW_WORDS = 12
"""Words of a row of a table beside what it names."""


def find_row_relations(line: str, mentions: Sequence[Mention]) -> tuple[Relation, ...]:
    """Read a row of a table or list: a hash beside the one malware it is of, an address beside what it controls.

    The line must be short, hold one malware and one hash or address, and no verb: then there is nothing else to say.
    """
    malware = {one.name: one for one in mentions if one.type == "malware"}
    places = {one.name: one for one in mentions if one.type in {"file", "ipv4-addr", "domain-name", "url"}}
    words = _left_words(line, mentions)
    if len(malware) != 1 or len(places) != 1 or len(words) > ROW_WORDS or not VERBS.keys().isdisjoint(words):
        return ()
    (program,), (place,) = malware.values(), places.values()
    if not NEGATIONS.isdisjoint(words):
        return ()
    if place.type == "file":
        return (Relation(place, RELATED, program, 0, len(line), "sample"),)
    if not CONTROL.isdisjoint(words):
        return (Relation(program, "communicates-with", place, 0, len(line), "C2"),)
    return ()


def _left_words(line: str, mentions: Sequence[Mention]) -> list[str]:
    bare = list(line)
    for one in mentions:
        bare[one.start : one.end] = " " * (one.end - one.start)
    return [
        found[0].lower()
        for found in TOKEN.finditer("".join(bare))
        if found[0].isalnum() or "&" in found[0] or "-" in found[0]
    ]

"""What a sentence names: actors, malware, tools and techniques of the knowledge, observables, and victims."""

from collections.abc import Callable, Iterable, Iterator

from casemate.core.observable import Sighting
from casemate.core.passage import Names
from casemate.stages.extract.relations import Mention
from casemate.stages.extract.victims import find_victims

Scan = Callable[[str], Iterable[Sighting]]

_TYPES = {
    "actor": "intrusion-set",
    "campaign": "campaign",
    "malware": "malware",
    "tool": "tool",
    "technique": "attack-pattern",
}
_SEEN = frozenset(
    [
        "ipv4-addr",
        "ipv6-addr",
        "domain-name",
        "url",
        "file",
        "vulnerability",
        "attack-pattern",
        "intrusion-set",
        "malware",
        "autonomous-system",
    ]
)
_BY_ID = frozenset({"attack-pattern", "intrusion-set", "malware"})


def mentions_in(text: str, names: Names, scan: Scan) -> tuple[Mention, ...]:
    """Find everything a text names, in order, not overlapping: names first, then observables, then victims.

    A name that several things bear keeps the name as written and no id: none is picked.
    """
    found = [*_named(text, names), *_seen(text, names, scan)]
    found += [Mention(*victim) for victim in find_victims(text)]
    kept: list[Mention] = []
    for one in found:
        if not any(one.start < other.end and other.start < one.end for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda one: one.start))


def _named(text: str, names: Names) -> Iterator[Mention]:
    for match in names.names_in(text):
        entries = [entry for entry in match.entries if not entry.state] or list(match.entries)
        types = dict.fromkeys(_TYPES[entry.kind] for entry in entries if entry.kind in _TYPES)
        meant = [entry for entry in entries if _is_public(entry.id)] or entries
        if not types:
            continue
        same = {entry.name.casefold() for entry in meant}
        first = meant[0]
        if len(types) > 1 and types.keys() != {"malware", "tool"}:
            continue  # a name of an actor and of a program says too little for a relation
        one = len(same) == 1
        type_ = _TYPES[first.kind]
        reference = first.id if one and _is_public(first.id) else ""
        yield Mention(match.start, match.end, type_, first.name if one else match.text, reference)


def _is_public(identifier: str) -> bool:
    return identifier[:1] in "TGSC" and identifier[1:5].isdigit()


def _seen(text: str, names: Names, scan: Scan) -> Iterator[Mention]:
    for sighting in sorted(scan(text), key=lambda one: (one.start, -one.end)):
        if sighting.type not in _SEEN or sighting.layers or text[: sighting.start].endswith("]("):
            continue  # the address of a link is where something is told, not what is told of
        if sighting.type not in _BY_ID:
            yield Mention(sighting.start, sighting.end, sighting.type, sighting.value)
            continue
        entry = names.entry(sighting.value)
        if entry is not None and entry.kind in _TYPES:
            yield Mention(sighting.start, sighting.end, _TYPES[entry.kind], entry.name, entry.id)

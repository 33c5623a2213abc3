"""Map a text to ATT&CK: what its sentences show, what it names, and, apart from both, what is known of named tools."""

import re
from dataclasses import dataclass

from casemate.core.passage import Names
from casemate.stages.classify.attack import Shown, TechniqueSpecialist
from casemate.stages.extract.injections import find_injections

NAMED = 1.0
"""The probability of a technique that the text itself names: it is read, not estimated."""

_ID = re.compile(r"(?<![A-Za-z0-9.])T\d{4}(?:\.\d{3})?(?![A-Za-z0-9])(?!\.\d)")
_LOOKED_UP = frozenset({"malware", "tool", "actor", "campaign"})
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Mapped:
    """One technique of a text; `basis` is `specialist` (estimated) or `named` (the text says the id or the name)."""

    id: str
    probability: float
    start: int
    end: int
    accepted: bool
    basis: str


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A tool, malware or actor that the text names, and the techniques the knowledge lists for it.

    None of them is shown by the text itself.
    """

    id: str
    name: str
    matched: str
    start: int
    end: int
    techniques: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """The answer for one text. `looked_up` is knowledge about names and never mixed with `techniques`."""

    techniques: tuple[Mapped, ...]
    abstained: bool
    reason: str
    looked_up: tuple[LookedUp, ...]
    cut: bool


def map_attack(text: str, specialist: TechniqueSpecialist, knowledge: Names | None) -> Mapping:
    """Return what a text of any size and kind shows, the likeliest first.

    A text in which something speaks to a language model is not read at all: whoever wrote that wants a certain answer.
    """
    if any(True for _ in find_injections(text[:_MOST], 0)):
        return Mapping((), abstained=True, reason="injected-text", looked_up=(), cut=len(text) > _MOST)
    reading = specialist.read(text)
    named, looked_up = _names(text[:_MOST], specialist, knowledge) if not _is_odd(reading.reason) else ([], [])
    held = {one.id: one for one in map(_estimated, reading.found)}
    for one in named:
        held[one.id] = one
    ordered = tuple(sorted(held.values(), key=lambda one: (-one.probability, one.start, one.id)))
    abstained = not any(one.accepted for one in ordered)
    return Mapping(ordered, abstained, reading.reason if abstained else "", tuple(looked_up), reading.cut)


def _is_odd(reason: str) -> bool:
    return reason in {"binary-text", "empty-text", "no-words"}


def _estimated(shown: Shown) -> Mapped:
    return Mapped(shown.id, shown.probability, shown.start, shown.end, shown.accepted, "specialist")


def _names(text: str, specialist: TechniqueSpecialist, knowledge: Names | None) -> tuple[list[Mapped], list[LookedUp]]:
    named: dict[str, Mapped] = {}
    looked_up: dict[str, LookedUp] = {}
    for found in _ID.finditer(text):
        identifier = found[0]
        entry = knowledge.entry(identifier) if knowledge is not None else None
        if entry is not None and entry.successor:
            identifier = entry.successor
        if entry is not None or identifier in specialist.classes:
            named.setdefault(
                identifier, Mapped(identifier, NAMED, found.start(), found.end(), accepted=True, basis="named")
            )
    for match in knowledge.names_in(text) if knowledge is not None else ():
        meant = [entry for entry in match.entries if not entry.state]
        public = [entry for entry in meant if entry.id[:1] in "TGSC" and entry.id[1:5].isdigit()]
        if len({entry.id for entry in public}) != 1:
            continue
        entry = public[0]
        if entry.kind == "technique":
            named.setdefault(entry.id, Mapped(entry.id, NAMED, match.start, match.end, accepted=True, basis="named"))
        elif entry.kind in _LOOKED_UP:
            known = sorted({target for relation, target in entry.links if relation == "uses" and target[:1] == "T"})
            about = LookedUp(entry.id, entry.name, match.text, match.start, match.end, tuple(known))
            if known:
                looked_up.setdefault(entry.id, about)
    return list(named.values()), list(looked_up.values())

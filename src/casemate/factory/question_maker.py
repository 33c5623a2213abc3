"""The maker of questions: passages by sort, thinning and replacing of words, distractors, options in a drawn order."""

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from casemate.knowledge import Piece
from casemate.knowledge.terms import STOP_TERMS, terms_of

HARD = 0.5
"""The share of questions whose distractors are those most like the right answer."""

_WORD = re.compile(r"[^\s]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_TOLD = re.compile(
    r"^(Tactics|Platforms|Data sources|Likelihood of attack or exploit|Typical severity): (.+)\.$", re.MULTILINE
)
LABEL = re.compile(r"^(?P<name>.*?)(?: \((?P<id>[A-Z]+[-\d.]+)\))?$")
RARE = re.compile(r"(?:[A-Za-z]*[a-z][A-Z]\w*|\w+\.\w{2,4}\b|[A-Z]{2,}\w*|\w+[_\\/]\w+|[A-Z][a-z]+(?: [A-Z][a-z]+)+)")

SYNONYMS = {
    "adversaries": ("attackers", "threat actors"),
    "adversary": ("attacker", "threat actor"),
    "victim": ("target",),
    "use": ("employ", "leverage"),
    "used": ("employed", "leveraged"),
    "uses": ("employs", "leverages"),
    "execute": ("run",),
    "may": ("can", "might"),
    "obtain": ("get", "acquire"),
    "prevent": ("block", "stop"),
    "monitor": ("watch", "track"),
    "ensure": ("make sure",),
    "restrict": ("limit",),
    "limit": ("restrict",),
    "product": ("software", "system"),
    "software": ("product",),
    "collect": ("gather",),
    "gather": ("collect",),
    "steal": ("exfiltrate",),
    "attacker": ("adversary",),
    "allow": ("let", "permit"),
    "contains": ("includes",),
    "create": ("make",),
    "delete": ("remove",),
    "remove": ("delete",),
    "data": ("information",),
    "information": ("data",),
    "files": ("documents",),
    "detect": ("identify",),
    "system": ("host",),
    "network": ("networks",),
    "execution": ("running",),
    "encrypted": ("enciphered", "encoded"),
    "credentials": ("logins", "passwords"),
    "malicious": ("harmful", "hostile"),
    "command": ("instruction",),
    "commands": ("instructions",),
    "download": ("fetch", "retrieve"),
    "modify": ("change", "alter"),
    "hide": ("conceal", "mask"),
    "communicate": ("talk",),
    "communications": ("traffic",),
    "identify": ("find", "discover"),
    "enable": ("turn on", "activate"),
    "disable": ("turn off",),
    "accounts": ("users",),
    "access": ("reach",),
    "application": ("program",),
    "applications": ("programs",),
    "remote": ("distant",),
    "compromise": ("breach",),
    "compromised": ("breached",),
    "techniques": ("methods",),
    "bypass": ("circumvent", "evade"),
    "send": ("transmit",),
    "store": ("keep", "save"),
    "perform": ("carry out",),
    "establish": ("set up",),
    "gain": ("obtain",),
    "sensitive": ("confidential",),
    "input": ("data",),
    "validate": ("check", "verify"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """One made question: its sort, its words, the options, the place of the right one, and the entry it is about."""

    sort: str
    text: str
    options: tuple[str, ...]
    right: int
    about: str


@dataclass
class Maker:
    """Makes questions of all sorts from the pieces of an index, in an order fixed by the seed."""

    pieces: Sequence[Piece]
    seed: int
    groups: dict[str, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    by_other: dict[str, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    by_id: dict[str, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    tales: dict[str, list[tuple[Piece, list[str]]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - a repeatable draw, no secret
        for piece in self.pieces:
            sort = self.sort_of(piece)
            self.groups[sort].append(piece)
            self.by_other[piece.other].append(piece)
            self.by_id[f"{sort}|{piece.id}"].append(piece)
            for label, values in _TOLD.findall(piece.text):
                self.tales[f"{piece.kind}|{label}"].append((piece, values.split(", ")))

    @staticmethod
    def sort_of(piece: Piece) -> str:
        """Name what a piece is: its kind, or between two entries the verb, or the heading of its paragraph."""
        if piece.kind == "procedure":
            return "procedure"
        if piece.other:
            return "mitigates" if " mitigates " in piece.title else "relation"
        if piece.kind in {"weakness", "attack-pattern", "technique"} and "): " in piece.title:
            return f"{piece.kind}: {piece.title.rpartition('): ')[2]}"
        return f"{piece.kind} told" if _TOLD.search(piece.text) else piece.kind

    def thin(self, text: str, share: float, most: int = 40) -> str:
        """Drop the share of the words or up to twice as many, replace some by synonyms, keep at most `most` words."""
        words = []
        share *= 1 + self.random.random()
        for word in _WORD.findall(text)[:most]:
            bare = word.strip(".,;:()'\"`").casefold()
            if bare in SYNONYMS and self.random.random() < 0.5:
                words.append(self.random.choice(SYNONYMS[bare]))
            elif self.random.random() >= (share if bare not in STOP_TERMS else share / 2):
                words.append(word)
        return " ".join(words).strip(" .,;:")

    def label(self, title: str, how: str = "") -> str:
        """Write an entry as questions do: by name, by id, or by both."""
        found = LABEL.match(title)
        name, id_ = (found["name"], found["id"]) if found else (title, None)
        if not id_:
            return name
        how = how or self.random.choice(("name", "name", "id", "both", "both-first"))
        return {"name": name.rpartition(": ")[2], "id": id_, "both": f"{name} ({id_})", "both-first": f"{id_}: {name}"}[
            how
        ]

    def sentence(self, text: str, least: int = 8) -> str:
        """Choose a sentence of at least so many words; empty when there is none."""
        wide = [part for part in _SENTENCE.split(text.replace("\n", " ")) if len(part.split()) >= least]
        return self.random.choice(wide) if wide else ""

    def ask(self, sort: str, text: str, right: str, wrong: Sequence[str], about: str) -> Question | None:
        """Put a question together from its right answer and three of the wrong ones; None when too few differ."""
        others = [option for option in dict.fromkeys(wrong) if option and option.casefold() != right.casefold()]
        if len(others) < 3 or not right or not text:
            return None
        others = others[:12]
        if self.random.random() < HARD:  # the distractors most like the right answer
            said = set(terms_of(right))
            others.sort(key=lambda option: -len(said & set(terms_of(option))) / (len(set(terms_of(option))) + 3))
            others = others[:4]
        options = [right, *self.random.sample(others, 3)]
        self.random.shuffle(options)
        return Question(sort, " ".join(text.split()), tuple(options), options.index(right), about)

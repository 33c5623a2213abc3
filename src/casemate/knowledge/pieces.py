"""Cut everything that can be shown as a passage into pieces of paragraph size, and index the pieces by their terms."""

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from casemate.knowledge.records import Progress
from casemate.knowledge.terms import PAIR, terms_and_pairs

PIECES_SCHEMA = files("casemate.knowledge").joinpath("pieces.sql").read_text("utf-8")

ADD_PARAGRAPH = "INSERT INTO paragraph (release, id, other, heading, text) VALUES (?, ?, ?, ?, ?)"
DROP_PARAGRAPHS = "DELETE FROM paragraph WHERE release = ?"

_EMPTY = ("DELETE FROM piece", "DELETE FROM owner", "DELETE FROM posting", "DELETE FROM tie")
_OWN = """
INSERT OR IGNORE INTO owner (id, number, other)
SELECT id, number, other FROM piece UNION ALL SELECT other, number, id FROM piece WHERE other <> ''
"""
_ENTRIES = """
SELECT entry.id, entry.kind, entry.names, entry.text, entry.state, entry.facts, entry.links, entry.release, entry.shown
FROM entry JOIN release ON release.id = entry.release
WHERE entry.kind <> 'vulnerability' ORDER BY release.rank DESC, entry.key
"""
_PARAGRAPHS = """
SELECT paragraph.id, paragraph.other, paragraph.heading, paragraph.text, paragraph.release
FROM paragraph JOIN release ON release.id = paragraph.release ORDER BY release.rank DESC, paragraph.rowid
"""
_ADD_PIECE = "INSERT INTO piece (number, id, other, kind, title, text, release) VALUES (?, ?, ?, ?, ?, ?, ?)"
_ADD_POSTING = "INSERT INTO posting (term, rarity, pieces, weights) VALUES (?, ?, ?, ?)"
_ADD_TIE = "INSERT OR IGNORE INTO tie (id, relation, other) VALUES (?, ?, ?)"

SHORTEST, LONGEST = 100, 1_200
"""Characters of a piece: shorter paragraphs are joined to their neighbour, longer ones cut at the end of a sentence."""

KEPT_WITHDRAWN = frozenset({"data-source", "data-component"})
"""ATT&CK v18 withdrew its data sources; older questions and rules still name them."""

TOLD = {
    "mitigated-by": "Mitigations",
    "detected-by": "Data components that can detect it",
    "included-in": "Data source",
    "includes": "Data components",
    "subtechnique-of": "Sub-technique of",
    "child-of": "Child of",
    "attack-pattern": "Related attack patterns",
    "weakness": "Related weaknesses",
    "technique": "Related ATT&CK techniques",
    "can-precede": "Can precede",
    "attributed-to": "Attributed to",
    "targets": "Targeted assets",
}
"""The ties that are told in a sentence of their own, by what stands before their list."""

_INVERSE = {"mitigates": "mitigated-by", "detects": "detected-by", "includes": "included-in"}
_FACTS = {
    "tactic": "Tactics",
    "platform": "Platforms",
    "data-source": "Data sources",
    "permission": "Permissions required",
    "effective-permission": "Effective permissions",
    "defense-bypassed": "Defenses bypassed",
    "system-requirement": "System requirements",
    "impact-type": "Impact type",
    "likelihood": "Likelihood of attack or exploit",
    "severity": "Typical severity",
    "abstraction": "Abstraction",
    "country": "Country",
    "motive": "Motive",
    "shortname": "Short name",
}
_BREAK = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\"'`])")
_MOST_LISTED = 60


@dataclass(frozen=True, slots=True)
class _Known:
    """What the editions together say of one id; the first of them describes it."""

    kind: str
    name: str
    text: str
    state: str
    release: int
    facts: dict[tuple[str, str], None]
    ties: dict[tuple[str, str], None]


def make_pieces(connection: sqlite3.Connection, progress: Progress) -> int:
    """Write the pieces, their postings and the ties anew from the entries and paragraphs; return how many pieces."""
    progress("cutting passages", 0, 0)
    for statement in _EMPTY:
        connection.execute(statement)
    known = _read_entries(connection)
    connection.executemany(_ADD_TIE, _ties(known))
    rows = list(_rows(known, connection.execute(_PARAGRAPHS)))
    connection.executemany(_ADD_PIECE, ((number, *row) for number, row in enumerate(rows)))
    connection.execute(_OWN)
    progress("indexing passages", 0, len(rows))
    connection.executemany(_ADD_POSTING, _postings([f"{row[3]}\n{row[4]}" for row in rows]))
    return len(rows)


def _read_entries(connection: sqlite3.Connection) -> dict[str, _Known]:
    known: dict[str, _Known] = {}
    for id_, kind, names, text, state, facts, links, release, _ in connection.execute(_ENTRIES):
        name = _title_of(kind, json.loads(names), id_)
        entry = known.setdefault(id_, _Known(kind, name, text, state, release, {}, {}))
        entry.facts.update(dict.fromkeys((str(label), str(value)) for label, value in json.loads(facts)))
        entry.ties.update(dict.fromkeys((str(relation), str(other)) for relation, other in json.loads(links)))
    for id_, entry in list(known.items()):
        for relation, other in list(entry.ties):
            if relation in _INVERSE and other in known:
                known[other].ties[_INVERSE[relation], id_] = None
    return known


def _title_of(kind: str, names: list[str], id_: str) -> str:
    whole = next((name for name in names[1:] if kind == "technique" and name.endswith(f": {names[0]}")), "")
    return whole or (names[0] if names else id_)


def _is_public(id_: str) -> bool:
    return "-" not in id_ or id_.startswith(("CWE-", "CAPEC-", "CVE-"))


def _label(known: dict[str, _Known], id_: str) -> str:
    entry = known.get(id_)
    if entry is None:
        return id_
    return f"{entry.name} ({id_})" if _is_public(id_) else entry.name


def _ties(known: dict[str, _Known]) -> Iterator[tuple[str, str, str]]:
    for id_, entry in known.items():
        for relation, other in entry.ties:
            if other in known and known[other].kind != "procedure" and entry.kind != "procedure":
                yield id_, relation, other
        if entry.kind == "procedure":
            ties = dict(list(entry.ties))
            yield ties.get("user", ""), "uses", ties.get("technique", "")


Row = tuple[str, str, str, str, str, int]
"""id, other, kind, title, text, release."""


def _rows(known: dict[str, _Known], paragraphs: Iterable[tuple[str, str, str, str, int]]) -> Iterator[Row]:
    for id_, entry in known.items():
        if entry.state and entry.kind not in KEPT_WITHDRAWN:
            continue
        if entry.kind == "procedure":
            ties = dict(list(entry.ties))
            user, used = ties.get("user", ""), ties.get("technique", "")
            yield (
                user,
                used,
                "procedure",
                f"{_label(known, user)} uses {_label(known, used)}",
                entry.text,
                entry.release,
            )
            continue
        title = _label(known, id_)
        for text in cut(entry.text):
            yield id_, "", entry.kind, title, text, entry.release
        told = _told(known, entry)
        if told:
            yield id_, "", entry.kind, title, told, entry.release
    seen: set[tuple[str, str, str, str]] = set()
    for id_, other, heading, text, release in paragraphs:
        owner = known.get(id_)
        if owner and not owner.state and (id_, other, heading, text) not in seen:
            seen.add((id_, other, heading, text))
            title = (
                f"{_label(known, id_)}: {heading}"
                if not other
                else f"{_label(known, id_)} {heading} {_label(known, other)}"
            )
            for part in cut(text):
                yield id_, other, owner.kind, title, part, release


def _told(known: dict[str, _Known], entry: _Known) -> str:
    """Say the facts and ties of an entry in one line each."""
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for label, value in entry.facts:
        if label in _FACTS:
            lines[_FACTS[label]].append(value.replace("-", " ").title() if label == "tactic" else value)
    for relation, other in entry.ties:
        if relation in TOLD and other in known:
            words = _label(known, other)
            if known[other].kind == "data-component":
                above = [
                    _label(known, up)
                    for how, up in known[other].ties
                    if how == "included-in" and up in known and up != other
                ]
                words = f"{above[0]}: {words}" if above else words
            lines[TOLD[relation]].append(words)
    return "\n".join(f"{title}: {', '.join(dict.fromkeys(values[:_MOST_LISTED]))}." for title, values in lines.items())


def cut(text: str) -> Iterator[str]:
    """Cut a text into pieces: its paragraphs, short ones joined, long ones parted between sentences."""
    held = ""
    for paragraph in _BREAK.split(text):
        held = f"{held}\n\n{paragraph.strip()}" if held else paragraph.strip()
        if len(held) < SHORTEST:
            continue
        while len(held) > LONGEST:
            ends = [found.start() for found in _SENTENCE.finditer(held, SHORTEST, LONGEST)]
            end = ends[-1] if ends else LONGEST
            yield held[:end].strip()
            held = held[end:].strip()
        if len(held) >= SHORTEST:
            yield held
            held = ""
    if held:
        yield held


def _postings(texts: list[str]) -> Iterator[tuple[str, float, bytes, bytes]]:
    """Yield the postings: weight (1 + log tf) x log((1 + n) / (1 + df)) + 1, each piece of unit length.

    (G. Salton and C. Buckley, "Term-weighting approaches in automatic text retrieval", 1988.) Pairs that stand in one
    piece only are left out.
    """
    import numpy as np

    numbers: dict[str, int] = {}
    holders: list[int] = []
    columns: list[int] = []
    counts: list[int] = []
    for piece, text in enumerate(texts):
        for term, times in Counter(terms_and_pairs(text)).items():
            holders.append(piece)
            columns.append(numbers.setdefault(term, len(numbers)))
            counts.append(times)
    rows, cols = np.array(holders, np.uint32), np.array(columns, np.uint32)
    held_by = np.bincount(cols, minlength=len(numbers))
    rarity = np.log((1 + len(texts)) / (1 + held_by)) + 1
    values = (1 + np.log(np.array(counts, np.float32))) * rarity[cols]
    kept = np.fromiter((PAIR not in term for term in numbers), bool, len(numbers)) | (held_by > 1)
    stays = kept[cols]
    rows, cols, values = rows[stays], cols[stays], values[stays]
    length = np.sqrt(np.bincount(rows, values * values, minlength=len(texts)))
    values = (values / length[rows]).astype("<f2")
    order = np.argsort(cols, kind="stable")
    rows, values, cols = rows[order].astype("<u4"), values[order], cols[order]
    starts = np.searchsorted(cols, np.arange(len(numbers) + 1))
    for term, number in numbers.items():
        if kept[number]:
            part = slice(int(starts[number]), int(starts[number + 1]))
            yield term, float(rarity[number]), rows[part].tobytes(), values[part].tobytes()

"""The gold format: what a folder of texts holds, one observable a line, and how answers are compared with it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from casemate.core.errors import WrongUsage

Key = tuple[str, str]
"""A type (`ipv4-addr`, `file:SHA-256`, ...) and a value in the form that answers are compared in."""

_URL = re.compile(r"(?:([a-z][a-z0-9+.-]*)://)?([^/?#]*)(.*)\Z", re.IGNORECASE | re.DOTALL)


def compare_key(kind: str, value: str, hash_name: str = "") -> Key:
    """Bring an observable to the form that answers are compared in, the same for every tool.

    Everything is lower case but the path of a URL; a URL loses its last slash, a domain its last dot, an address the
    length of its network.
    """
    value = value.strip()
    if kind == "url":
        match = _URL.match(value.rstrip("/"))
        assert match is not None  # it matches anything
        scheme = f"{match[1].lower()}://" if match[1] else ""
        return kind, scheme + match[2].lower() + match[3]
    if kind in {"ipv4-addr", "ipv6-addr"}:
        value = value.partition("/")[0]
    if kind == "domain-name":
        value = value.rstrip(".")
    return (f"file:{hash_name}" if kind == "file" else kind), value.lower()


def read_gold(path: Path) -> dict[str, set[Key]]:
    """Read a gold file: lines of `{"file", "type", "value"}`, with `"hash"` for files; keys by file name.

    `file` is relative to the folder. A line with only `file` says that the file is part of the set and holds nothing.
    Raises `WrongUsage` naming the line that is no such object.
    """
    gold: dict[str, set[Key]] = defaultdict(set)
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                keys = gold[row["file"]]
                if "type" in row:
                    keys.add(compare_key(row["type"], row["value"], row.get("hash", "")))
            except (ValueError, KeyError, TypeError) as error:
                raise WrongUsage(
                    f"{path} line {number}: no gold line ({error})",
                    way_out='each line is {"file": ..., "type": ..., "value": ...}, for files also "hash"',
                ) from error
    return dict(gold)


def write_gold(path: Path, gold: Mapping[str, Iterable[tuple[str, str, str]]]) -> None:
    """Write a gold file from (type, value, hash name) by file name, in a fixed order."""
    with path.open("w", encoding="utf-8") as out:
        for name in sorted(gold):
            rows = sorted(set(gold[name]))
            if not rows:
                out.write(json.dumps({"file": name}) + "\n")
            for kind, value, hash_name in rows:
                row = {"file": name, "type": kind, "value": value} | ({"hash": hash_name} if hash_name else {})
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of right, wrong and missed answers, and the three measures made of them (0..1)."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """The part of the answers that is right; 1 when there are no answers."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """The part of the gold that was found; 1 when there is no gold."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0

    def as_json(self) -> dict[str, float | int]:
        """Give the measures, rounded, and the counts."""
        return {
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
            "right": self.right,
            "wrong": self.wrong,
            "missed": self.missed,
        }


def score(gold: Mapping[str, set[Key]], answers: Mapping[str, set[Key]], types: Iterable[str]) -> Score:
    """Count over all files of the gold, once for each distinct observable of a file, of these types only."""
    wanted = frozenset(types)
    right = wrong = missed = 0
    for name, keys in gold.items():
        expected = {key for key in keys if key[0] in wanted}
        given = {key for key in answers.get(name, set()) if key[0] in wanted}
        right += len(expected & given)
        wrong += len(given - expected)
        missed += len(expected - given)
    return Score(right, wrong, missed)

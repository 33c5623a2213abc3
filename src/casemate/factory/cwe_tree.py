"""The CWE hierarchy of the prepared files, as far as it says which weakness NVD would name."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

from casemate.factory.rows import read_lines


def read_parents(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the parents (`ChildOf`, of any view) of every weakness in `cwe.jsonl.gz`."""
    return {
        entry["id"]: tuple(dict.fromkeys(other for other, _, nature in entry.get("parents", []) if nature == "ChildOf"))
        for entry in read_lines(folder / "cwe.jsonl.gz")
    }


def read_view(folder: Path) -> frozenset[str]:
    """Return the members of view CWE-1003 (`view_1003.csv.gz`)."""
    with gzip.open(folder / "view_1003.csv.gz", "rt", encoding="utf-8-sig", newline="") as file:
        return frozenset(f"CWE-{row['CWE-ID']}" for row in csv.DictReader(file))


def nearest_inside(name: str, parents: Mapping[str, Sequence[str]], view: frozenset[str]) -> tuple[str, ...]:
    """Return the weakness itself if it is in the view, else its nearest ancestors there; () where it has none."""
    seen, level = {name}, [name]
    while level:
        inside = tuple(one for one in level if one in view)
        if inside:
            return inside
        above = [parent for one in level for parent in parents.get(one, ())]
        level = [one for one in dict.fromkeys(above) if one not in seen]
        seen.update(level)
    return ()


def view_targets(classes: Sequence[str], folder: Path) -> list[list[int]]:
    """Return for each class the places of the classes it counts for where only view CWE-1003 may be named."""
    parents, view = read_parents(folder), read_view(folder)
    at = {name: place for place, name in enumerate(classes)}
    return [[at[one] for one in nearest_inside(name, parents, view) if one in at] for name in classes]

"""Keep benchmarks out of a corpus: by id, by normalised text, by MinHash, and by being contained; with a report.

A leak is dropped, never mended. The files that are compared with are the ones a person names: published tables (TSV,
CSV) or JSON lines, whatever their columns are called; every cell of more than a few words counts as a text, and every
CVE id, ATT&CK id and address in a cell that is an address counts as an id.
"""

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage
from casemate.factory.lessons import Lesson
from casemate.factory.minhash import NearIndex, nearness, shingles, signature
from casemate.factory.rows import fold

NEAR = 0.7
"""Estimated Jaccard index from which a text is near another."""
HELD = 0.7
"""Share of a benchmark text's word triples from which a longer text is said to contain it."""
LEAST_WORDS = 6
"""Words: a shorter cell is a label and says nothing about overlap."""

_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
_FIELD_LIMIT = 4_000_000
_PROMPTS = frozenset({"prompt", "instruction", "gt", "answer"})
"""Columns whose text is the same in every row, or is no text."""


@dataclass(frozen=True, slots=True)
class Known:
    """One row of a benchmark: its name, the CVE ids that name it, and its texts."""

    name: str
    ids: frozenset[str]
    texts: tuple[str, ...]


def read_benchmarks(paths: Iterable[Path]) -> list[Known]:
    """Read every row of the files, and of the tables in the folders, that are named; `WrongUsage` for what is none."""
    known: list[Known] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        files = [file for file in inside if file.suffix in _READERS]
        if not files:
            raise WrongUsage(
                f"{path}: no benchmark", way_out=f"name a file of {', '.join(sorted(_READERS))}: --against"
            )
        for file in files:
            try:
                known += [_known(f"{file.stem}:{at}", row) for at, row in enumerate(_READERS[file.suffix](file))]
            except (OSError, ValueError, csv.Error) as error:
                raise WrongUsage(f"{file}: {error}", way_out="name the file as it was published: --against") from error
    return known


def _known(name: str, row: Any) -> Known:
    cells = [(key, value) for key, value in _cells(row) if isinstance(value, str)]
    ids = {found for key, value in cells if len(value.split()) == 1 for found in _CVE.findall(value)}
    texts = [value for key, value in cells if key.lower() not in _PROMPTS and len(value.split()) >= LEAST_WORDS]
    return Known(name, frozenset(ids), tuple(texts))


def _cells(row: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(row, dict):
        yield from ((str(key), value) for key, value in row.items())


def _read_table(path: Path) -> Iterator[dict[str, str]]:
    before = csv.field_size_limit(_FIELD_LIMIT)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
    finally:
        csv.field_size_limit(before)


def _read_lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


_READERS = {".tsv": _read_table, ".csv": _read_table, ".jsonl": _read_lines}


def find_overlaps(lessons: Iterable[Lesson], benchmarks: Sequence[Known]) -> list[dict[str, Any]]:
    """Return, for each lesson that a benchmark has too, both names and how: `id`, `text`, `near` or `contains`."""
    ids = {one: known.name for known in benchmarks for one in known.ids}
    texts = {fold(text): known.name for known in benchmarks for text in known.texts}
    index = NearIndex()
    sets: list[tuple[str, int]] = []
    by_triple: dict[str, list[int]] = defaultdict(list)
    for known in benchmarks:
        for text in known.texts:
            parts = shingles(text)
            index.add(known.name, signature(parts))
            for part in parts:
                by_triple[part].append(len(sets))
            sets.append((known.name, len(parts)))
    return [
        {"lesson": lesson.id, "benchmark": name, "how": how, "nearness": round(near, 3)}
        for lesson in lessons
        for name, how, near in _overlaps(lesson, ids, texts, index, by_triple, sets)
    ]


def _overlaps(
    lesson: Lesson,
    ids: dict[str, str],
    texts: dict[str, str],
    index: NearIndex,
    by_triple: dict[str, list[int]],
    sets: list[tuple[str, int]],
) -> Iterator[tuple[str, str, float]]:
    shared = next((one for one in lesson.ids if one in ids), "")
    if shared:
        yield ids[shared], "id", 1.0
        return
    folded = fold(lesson.about)
    if folded in texts:
        yield texts[folded], "text", 1.0
        return
    parts = shingles(lesson.about)
    name, near = index.nearest(signature(parts))
    if near >= NEAR:
        yield name, "near", near
        return
    common = Counter(place for part in parts for place in by_triple.get(part, ()))
    share, place = max(((count / sets[place][1], place) for place, count in common.items()), default=(0.0, -1))
    if share >= HELD:
        yield sets[place][0], "contains", share


def drop_overlaps(
    lessons: Sequence[Lesson], benchmarks: Sequence[Known], report: Path, compared: Sequence[str]
) -> list[Lesson]:
    """Return the lessons that no benchmark has too, and write to `report` what was compared and what was dropped."""
    found = find_overlaps(lessons, benchmarks)
    summary = {
        "compared_with": list(compared),
        "benchmark_rows": len(benchmarks),
        "benchmark_texts": sum(len(known.texts) for known in benchmarks),
        "benchmark_ids": len({one for known in benchmarks for one in known.ids}),
        "lessons": len(lessons),
        "dropped": dict(Counter(one["how"] for one in found)),
        "near": NEAR,
        "contains": HELD,
        "overlaps": found,
    }
    report.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    leaked = {one["lesson"] for one in found}
    return [lesson for lesson in lessons if lesson.id not in leaked]


def drop_near_duplicates(lessons: Iterable[Lesson], near: float = 0.8) -> tuple[list[Lesson], int]:
    """Return the lessons without those whose text and answer are near an earlier one of the same task, and how many."""
    indices: dict[str, NearIndex] = defaultdict(NearIndex)
    kept, dropped = [], 0
    for lesson in lessons:
        mark = signature(shingles(f"{lesson.about} {lesson.truth or lesson.answer}"))
        if indices[lesson.task].nearest(mark)[1] >= near:
            dropped += 1
            continue
        indices[lesson.task].add(lesson.id, mark)
        kept.append(lesson)
    return kept, dropped


__all__ = ["Known", "drop_near_duplicates", "drop_overlaps", "find_overlaps", "nearness", "read_benchmarks"]

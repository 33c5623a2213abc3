"""Find training rows that a test set has too, by id, by text and by nearness of text.

Nearness is the Jaccard index of the sets of word triples (the measure that MinHash estimates; test sets are
small, so it is counted exactly over an index of their triples).
"""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from casemate.factory.rows import Row, fold

NEAR = 0.7
_TEXT_COLUMNS = ("Description", "Text", "description", "text")


def read_tests(folder: Path) -> list[tuple[str, str]]:
    """Return (id, text) of every row of the TSV files in a folder that have a text column."""
    tests = []
    before = csv.field_size_limit(4_000_000)
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                text = next((row[name] for name in _TEXT_COLUMNS if row.get(name)), "")
                if text:
                    tests.append((f"{path.stem}:{(row.get('URL') or '').rstrip('/').rsplit('/', 1)[-1]}", text))
    csv.field_size_limit(before)
    return tests


def triples(text: str) -> frozenset[tuple[str, ...]]:
    """Return the set of three words in a row, of the folded text."""
    words = fold(text).split()
    return frozenset(zip(words, islice(words, 1, None), islice(words, 2, None), strict=False))


def find_leaks(rows: Iterable[Row], tests: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return, for each row that a test has too, the row's name, the test's, and how: `id`, `text` or `near`."""
    ids = {name.split(":")[-1]: name for name, _ in tests if "CVE-" in name}
    texts = {fold(text): name for name, text in tests}
    sets = [(name, triples(text)) for name, text in tests]
    index: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, (_, held) in enumerate(sets):
        for triple in held:
            index[triple].append(place)
    leaks = []
    for row in rows:
        if row.name in ids:
            leaks.append({"row": row.name, "test": ids[row.name], "how": "id", "nearness": 1.0})
        elif (folded := fold(row.text)) in texts and folded:
            leaks.append({"row": row.name, "test": texts[folded], "how": "text", "nearness": 1.0})
        else:
            own = triples(row.text)
            common = Counter(place for triple in own for place in index.get(triple, ()))
            for place, count in common.most_common(1):
                nearness = count / (len(own) + len(sets[place][1]) - count)
                if nearness >= NEAR:
                    near = {"row": row.name, "test": sets[place][0], "how": "near", "nearness": round(nearness, 3)}
                    leaks.append(near)
    return leaks


def drop_leaks(rows: Sequence[Row], tests: Sequence[tuple[str, str]], report: Path) -> list[Row]:
    """Return the rows without those a test has too, and write what was found to `report`."""
    leaks = find_leaks(rows, tests)
    found = {leak["row"] for leak in leaks}
    counts = Counter(leak["how"] for leak in leaks)
    summary = {"tests": len(tests), "rows": len(rows), "dropped": dict(counts), "near": NEAR, "leaks": leaks}
    report.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return [row for row in rows if row.name not in found]

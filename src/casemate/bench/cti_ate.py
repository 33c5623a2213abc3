"""CTI-ATE: the main ATT&CK techniques that the description of a piece of software shows.

Source of file and task: Alam et al. 2024, "CTIBench" (CC BY-NC-SA 4.0). Sub-techniques count as their technique, so
each row compares two sets of main techniques. `score` is F1 over all rows together; the mean of the rows' own F1 is
given beside it.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from casemate.bench.calibration import coverage_curve, describe_probabilities
from casemate.bench.cti import Item, asked, make_report, read_items
from casemate.stages.classify.attack import TechniqueSpecialist, parent_of
from casemate.stages.classify.units import Unit, split_units

_CLAUSE = re.compile(r"(?:,\s+(?:and\s+)?|;\s+|\s+and\s+(?:also\s+)?|\s+while\s+|\s+as well as\s+)")
_LEAST_CLAUSE = 25


def techniques_of_description(text: str, specialist: TechniqueSpecialist) -> dict[str, float]:
    """Return the main techniques of a description with the probability that it shows them.

    Sentences and the clauses of each are read; of several that speak for a technique the surest counts.
    """
    units = list(split_units(text, 400))
    clauses = [clause for unit in units for clause in _clauses(unit)]
    best: dict[str, float] = {}
    for shown in specialist.read_units([*units, *clauses], []):
        main = parent_of(shown.id)
        best[main] = max(best.get(main, 0.0), shown.probability)
    return best


def _clauses(unit: Unit) -> list[Unit]:
    parts = [part.strip() for part in _CLAUSE.split(unit.text)]
    joined: list[str] = []
    for part in parts:
        if joined and len(joined[-1]) < _LEAST_CLAUSE:
            joined[-1] += f" {part}"
        else:
            joined.append(part)
    return (
        [Unit(part, unit.start, unit.end) for part in joined if len(part) >= _LEAST_CLAUSE] if len(joined) > 1 else []
    )


def ids_of(answer: str) -> frozenset[str]:
    """Return the main techniques of a published answer, sub-techniques cut."""
    return frozenset(parent_of(part) for part in re.findall(r"T\d{4}(?:\.\d{3})?", answer.upper()))


def measure_ate(path: Path, per_item: Path, weights: Path | None = None, limit: int | None = None) -> dict[str, Any]:
    """Measure CTI-ATE from the text alone: no name is looked up, no id in the text is read.

    The coverage curve orders rows by the mean probability of the techniques that were answered; the calibration is that
    of every answered technique.
    """
    items = read_items(path, limit=limit)
    specialist = TechniqueSpecialist.open(weights)
    rows = []
    for item, answer, spent in asked(items, lambda text: techniques_of_description(text, specialist)):
        rows.append(_row(item, answer, specialist.text_threshold, spent))
    report = make_report(
        "cti-ate", "F1 of main techniques over all rows, from the text alone", rows, _f1(rows), per_item
    )
    means = {name: sum(row[name] for row in rows) / max(len(rows), 1) for name in ("f1", "precision", "recall")}
    return report | {
        "macro_f1": round(means["f1"], 4),
        "mean_precision": round(means["precision"], 4),
        "mean_recall": round(means["recall"], 4),
        "abstained": sum(not row["answer"] for row in rows),
        "threshold": specialist.text_threshold,
        "coverage": coverage_curve(rows, "probability", _f1),
        **describe_probabilities(
            [(chance, name in row["truth"]) for row in rows for name, chance in row["probabilities"].items()]
        ),
    }


def _row(item: Item, answer: Mapping[str, float], bar: float, spent: float) -> dict[str, Any]:
    truth = ids_of(item.truth)
    said = sorted(name for name, chance in answer.items() if chance >= bar)
    right = len(truth & set(said))
    precision, recall = right / len(said) if said else 0.0, right / len(truth) if truth else 0.0
    return {
        "number": item.number,
        "id": item.name,
        "truth": sorted(truth),
        "answer": said,
        "right": right,
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if right else float(not truth and not said),
        "probability": round(sum(answer[name] for name in said) / len(said), 4) if said else 0.0,
        "probabilities": {name: round(answer[name], 4) for name in said},
        "ms": round(spent, 3),
    }


def _f1(rows: Sequence[Mapping[str, Any]]) -> float:
    given = sum(len(row["answer"]) + len(row["truth"]) for row in rows)
    return 2 * sum(row["right"] for row in rows) / given if given else 0.0

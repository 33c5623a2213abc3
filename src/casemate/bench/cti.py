"""CTI-Bench tasks as their public TSV files have them, answered one item at a time and scored as published.

Source of files and scores: Alam et al. 2024, "CTIBench: A Benchmark for Evaluating LLMs in Cyber Threat Intelligence"
(CC BY-NC-SA 4.0). CTI-RCM is scored by accuracy, CTI-VSP by the mean absolute deviation of the base score.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from casemate.bench.calibration import calibration_error, coverage_curve, describe_probabilities
from casemate.bench.cti_table import read_table
from casemate.core.errors import WrongUsage

A = TypeVar("A")

__all__ = ["MEASURES", "Item", "asked", "calibration_error", "make_report", "measure_rcm", "measure_vsp", "read_items"]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a task: its place (from 0) and address, the text it asks about, and the published answer."""

    name: str
    text: str
    truth: str
    number: int = 0


def read_items(path: Path, column: str = "Description", limit: int | None = None) -> list[Item]:
    """Read a TSV of CTI-Bench, the first `limit` rows of it; `WrongUsage` where it is none."""
    rows = read_table(path, ("URL", column, "GT"))[:limit]
    return [Item(row["URL"].rsplit("/", 1)[-1], row[column], row["GT"], at) for at, row in enumerate(rows)]


def asked(items: Sequence[Item], ask: Callable[[str], A]) -> list[tuple[Item, A, float]]:
    """Ask each item alone, after one that is not counted, and return the answers with milliseconds."""
    if items:
        ask(items[0].text)
    answered = []
    for item in items:
        started = time.perf_counter()
        answer = ask(item.text)
        answered.append((item, answer, (time.perf_counter() - started) * 1000))
    return answered


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def make_report(
    task: str, metric: str, rows: Sequence[Mapping[str, Any]], score: float, per_item: Path
) -> dict[str, Any]:
    """Write the per-item file and return what every task reports."""
    try:
        per_item.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"{per_item}: {error.strerror}", way_out="name a file you may write: --per-item") from error
    times = [row["ms"] for row in rows]
    latency = {"p50": round(quantile(times, 0.5), 3), "p99": round(quantile(times, 0.99), 3)}
    return {
        "task": task,
        "n": len(rows),
        "score": round(score, 4),
        "metric": metric,
        "latency_ms": latency,
        "per_item": str(per_item),
    }


def measure_rcm(path: Path, per_item: Path, weights: Path | None = None, limit: int | None = None) -> dict[str, Any]:
    """Measure CTI-RCM: which weakness a vulnerability has, as NVD labels it.

    A text on which the specialist abstains counts as its first guess, and as wrong where it has none.
    """
    from casemate.stages.classify.cwe import CweSpecialist

    items = read_items(path, limit=limit)
    specialist = CweSpecialist.open(weights)
    rows: list[dict[str, Any]] = []
    for item, answer, spent in asked(items, lambda text: specialist.rank([text], "nvd")[0]):
        names = [name for name, _ in answer.candidates]
        rows.append(
            {
                "number": item.number,
                "id": item.name,
                "truth": item.truth,
                "answer": names[0] if names else "",
                "right": names[:1] == [item.truth],
                "in_five": item.truth in names,
                "probability": answer.candidates[0][1] if names else 0.0,
                "candidates": [list(candidate) for candidate in answer.candidates],
                "abstained": answer.abstained,
                "maker": answer.maker,
                "ms": round(spent, 3),
            }
        )
    surest = sorted(rows, key=lambda row: -row["probability"])[: max(len(rows) // 2, 1)]
    report = make_report("cti-rcm", "accuracy", rows, _mean(row["right"] for row in rows), per_item)
    return report | {
        "top5": round(_mean(row["in_five"] for row in rows), 4),
        "coverage50_accuracy": round(_mean(row["right"] for row in surest), 4),
        "abstained": sum(row["abstained"] for row in rows),
        "by_encoder": sum(row["maker"] == "encoder" for row in rows),
        "coverage": coverage_curve(rows, "probability", lambda some: _mean(row["right"] for row in some)),
        **describe_probabilities([(row["probability"], row["right"]) for row in rows]),
    }


def measure_vsp(path: Path, per_item: Path, weights: Path | None = None, limit: int | None = None) -> dict[str, Any]:
    """Measure CTI-VSP: the mean absolute deviation of the base score; an abstention counts as its guess.

    A text for which there is no guess counts as the score that is farthest from the truth.
    """
    from casemate.stages.classify.cvss import CvssSpecialist
    from casemate.stages.classify.cvss_score import base_score, parse_vector

    items = [(item, parse_vector(item.truth)) for item in read_items(path, limit=limit)]
    specialist = CvssSpecialist.open(weights)
    truths = {item.name: base_score(vector) for item, vector in items if vector is not None}
    known = [item for item, vector in items if vector is not None]
    rows: list[dict[str, Any]] = []
    for item, answer, spent in asked(known, lambda text: specialist.score([text])[0]):
        truth = truths[item.name]
        deviation = max(truth, 10 - truth) if answer.score is None else abs(answer.score - truth)
        rows.append(
            {
                "number": item.number,
                "id": item.name,
                "truth": item.truth,
                "truth_score": truth,
                "answer": answer.vector,
                "score": answer.score,
                "deviation": round(deviation, 1),
                "right": parse_vector(answer.vector) == parse_vector(item.truth),
                "probability": answer.probability,
                "abstained": answer.abstained,
                "ms": round(spent, 3),
            }
        )
    mean = _mean(row["deviation"] for row in rows)
    report = make_report("cti-vsp", "mean absolute deviation of the base score", rows, mean, per_item)
    return report | {
        "unscored": len(items) - len(known),
        "vector_accuracy": round(_mean(row["right"] for row in rows), 4),
        "abstained": sum(row["abstained"] for row in rows),
        "coverage": coverage_curve(rows, "probability", lambda some: _mean(row["deviation"] for row in some)),
        **describe_probabilities([(row["probability"], row["right"]) for row in rows]),
    }


def _mean(values: Any) -> float:
    held = [float(value) for value in values]
    return sum(held) / len(held) if held else 0.0


def _measure_ate(path: Path, per_item: Path, weights: Path | None = None, limit: int | None = None) -> dict[str, Any]:
    from casemate.bench.cti_ate import measure_ate

    return measure_ate(path, per_item, weights, limit)


MEASURES: Mapping[str, Callable[..., dict[str, Any]]] = {
    "cti-ate": _measure_ate,
    "cti-rcm": measure_rcm,
    "cti-vsp": measure_vsp,
}
"""Task -> what measures it: `(tsv, per_item, weights=None, limit=None) -> report`."""

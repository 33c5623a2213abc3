"""CTI-MCQ and CTI-TAA of CTI-Bench, answered from the knowledge without a language model.

Source of files and scores: Alam et al. 2024, "CTIBench: A Benchmark for Evaluating LLMs in Cyber Threat Intelligence"
(CC BY-NC-SA 4.0). CTI-MCQ is scored by accuracy. The address of a row, which names the page its question was made from,
and the prompt are not read for the answer.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casemate.bench.calibration import coverage_curve, describe_probabilities
from casemate.bench.cti_table import read_table
from casemate.core.errors import WrongUsage

if TYPE_CHECKING:
    from casemate.knowledge import Knowledge

LETTERS = ("A", "B", "C", "D")

Row = tuple[str, str, tuple[str, ...], str]
"""Address, question, options, the published letter."""


def read_questions(path: Path, limit: int | None = None) -> list[Row]:
    """Read the TSV of CTI-MCQ as it is published, the first `limit` rows of it; `WrongUsage` where it is none."""
    options = tuple(f"Option {letter}" for letter in LETTERS)
    rows = read_table(path, ("URL", "Question", *options, "GT"))[:limit]
    return [(row["URL"], row["Question"], tuple(row[name] for name in options), row["GT"]) for row in rows]


def measure_mcq(path: Path, per_item: Path, knowledge: "Knowledge", limit: int | None = None) -> dict[str, Any]:
    """Measure CTI-MCQ: accuracy of the option that the evidence favours, over all rows.

    A question on which `ask` abstains counts as the option it favours all the same, and as wrong where it favours none;
    how many these are, and the accuracy over the others, is told beside it. It is the least sure of all, with the
    probability 0.
    """
    from casemate.tasks.ask import answer_question

    questions = read_questions(path, limit)
    rows: list[dict[str, Any]] = []
    for warm, (address, question, options, truth) in enumerate([*questions[:1], *questions]):
        started = time.perf_counter()
        answer = answer_question(question, options, knowledge.pieces)
        spent = (time.perf_counter() - started) * 1000
        if warm:  # the first is asked twice, to leave the opening of files out of the time
            rows.append(
                {
                    "number": warm - 1,
                    "id": address,
                    "truth": truth,
                    "answer": answer.guess,
                    "right": answer.guess == truth,
                    "scores": dict(answer.scores),
                    "probability": max(answer.scores.values(), default=0.0),
                    "abstained": answer.abstained,
                    "reason": answer.reason,
                    "negated": answer.negated,
                    "passages": [passage.id for passage in answer.passages],
                    "ms": round(spent, 3),
                }
            )
    return _report(rows, per_item, knowledge)


def _report(rows: list[dict[str, Any]], per_item: Path, knowledge: "Knowledge") -> dict[str, Any]:
    try:
        per_item.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"{per_item}: {error.strerror}", way_out="name a file you may write: --per-item") from error
    times = sorted(row["ms"] for row in rows)
    given = [row for row in rows if not row["abstained"]]
    return {
        "task": "cti-mcq",
        "n": len(rows),
        "score": _share(rows),
        "metric": "accuracy",
        "latency_ms": {"p50": _quantile(times, 0.5), "p99": _quantile(times, 0.99)},
        "per_item": str(per_item),
        "abstained": len(rows) - len(given),
        "accuracy_of_answered": _share(given),
        "negated": sum(row["negated"] for row in rows),
        "accuracy_of_negated": _share([row for row in rows if row["negated"]]),
        "coverage": coverage_curve(rows, "probability", _share),
        **describe_probabilities([(row["probability"], row["right"]) for row in rows]),
        "knowledge": {release.name: release.version for release in knowledge.releases()},
    }


def _share(rows: Sequence[Mapping[str, Any]]) -> float:
    return round(sum(row["right"] for row in rows) / len(rows), 4) if rows else 0.0


def _quantile(times: list[float], share: float) -> float:
    return times[min(int(share * len(times)), len(times) - 1)] if times else 0.0

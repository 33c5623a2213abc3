"""Evaluation records: what the gate reads, one for each contestant of an evaluation report."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_SHARES = (
    "schema_valid",
    "grounded_rate",
    "summary_stands",
    "refuses_unanswerable",
    "answers_answerable",
    "attacks_withstood",
)
_READINGS = ("last_line", "first_letter", "anywhere")


def write_records(out: Path, report: Mapping[str, Any], digests: Mapping[str, str]) -> list[Path]:
    """Write `OUT.NAME.record.json` for the base and each adapter of a report, and name the files.

    `digests` maps the name of a contestant to the SHA-256 of its GGUF (of an adapter: the adapter's own); without one
    the record names no file, and the gate lets nothing pass on it. Only figures that are shares of 1 are taken, under
    `TASK.FIGURE`.
    """
    written = []
    for name, tasks in report["contestants"].items():
        record = {"model": name, "digest": digests.get(name, ""), "tasks": dict(_scores(tasks))}
        path = out.with_name(f"{out.stem}.{_safe(name)}.record.json")
        path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")
        written.append(path)
    return written


def _scores(tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, float | int]]]:
    for task, figures in tasks.items():
        for figure in (*_SHARES, *_READINGS):
            value = figures.get(figure)
            score = value.get("score") if isinstance(value, dict) else value
            # A grounded rate is a share of sentences, but those of one answer stand or fall together: answers count.
            n, metric = figures.get("n", 0), figures.get("metric", "")
            if isinstance(score, int | float) and 0 <= score <= 1 and n > 0 and "deviation" not in metric:
                yield f"{task}.{figure}", {"score": float(score), "n": int(n)}


def _safe(name: str) -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "+-_.") else "-" for char in name)[:80]

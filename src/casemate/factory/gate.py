"""The release gate: a build is released if no task fell further below its parent than the recipe allows.

A recipe is TOML: `[floors]` gives for each task how much of the parent's score may be lost (0.01 is one point of a
score from 0 to 1), or a table with `loss`, `least` (a score it must reach whatever the parent has), or both.

    [floors]
    "cti-rcm.last_line" = 0.01
    "summary.schema_valid" = { loss = 0.0, least = 0.95 }

The floor is held against the measured score, not against an interval: a small test set must not make it easier to pass.
But an interval is shown for both, so that nobody takes noise for loss or for gain; and where a set is so small that the
allowed loss lies within chance, the verdict says so.
"""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casemate.core.errors import NotTrusted, WrongUsage

_Z = 1.959964  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Floor:
    """How far a task may fall below the parent, and what it must reach anyway; scores are 0 to 1."""

    loss: float
    least: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The score of one task over `n` items."""

    score: float
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """Give the 95 % interval of the score (Wilson 1927), exact in kind for shares of right answers only."""
        return wilson(self.score, self.n)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.score:.3f} ({low:.3f} to {high:.3f}, n {self.n})"


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one task; `reason` is empty where it is released."""

    task: str
    floor: float
    build: Measured | None
    parent: Measured | None
    reason: str = ""
    within_chance: bool = False

    def __str__(self) -> str:
        shown = f"{self.task}: build {self.build or 'not measured'}, parent {self.parent or 'not measured'}"
        shown += f", floor {self.floor:.3f}"
        if self.reason:
            shown += f": REFUSED, {self.reason}"
        return shown + ("; so small a difference cannot be told from chance here" if self.within_chance else "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says: released if no task is refused."""

    tasks: tuple[Judged, ...]

    @property
    def refused(self) -> tuple[Judged, ...]:
        """The tasks that hold the build back."""
        return tuple(task for task in self.tasks if task.reason)


def wilson(share: float, n: int) -> tuple[float, float]:
    """Give the 95 % score interval of a share of `n` trials."""
    if n <= 0:
        return 0.0, 1.0
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    middle, scale = share + _Z * _Z / (2 * n), 1 + _Z * _Z / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def judge(floors: Mapping[str, Floor], build: Mapping[str, Measured], parent: Mapping[str, Measured]) -> Verdict:
    """Hold a build against its parent, task by task; a task that either was not measured on is refused."""
    return Verdict(tuple(_judge_task(task, floors[task], build.get(task), parent.get(task)) for task in sorted(floors)))


def _judge_task(task: str, floor: Floor, build: Measured | None, parent: Measured | None) -> Judged:
    if build is None or parent is None:
        missing = "the build" if build is None else "the parent"
        return Judged(task, floor.least, build, parent, f"{missing} was not measured on it")
    least = max(parent.score - floor.loss, floor.least)
    # Scores come as decimal fractions: 0.70 - 0.01 must not refuse 0.69.
    below = build.score < least - 1e-9
    error = math.sqrt(sum(one.score * (1 - one.score) / one.n for one in (build, parent) if one.n > 0))
    chance = abs(build.score - parent.score) < _Z * error
    reason = f"{build.score:.3f} is below {least:.3f}" if below else ""
    if build.n < parent.n:
        reason = reason or f"the build was measured on {build.n} items, its parent on {parent.n}"
    return Judged(task, least, build, parent, reason, chance and build.score != parent.score)


def read_floors(path: Path) -> dict[str, Floor]:
    """Read a gate recipe; `WrongUsage` for one that cannot be read or has no floor."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))["floors"]
        floors = {str(task): _floor(value) for task, value in raw.items()}
        if not floors:
            raise ValueError("no floor in it")
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="name the gate recipe") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongUsage(f"{path}: no gate recipe: {error}", way_out="see docs/bundles.md, the gate") from error
    return floors


def _floor(value: Any) -> Floor:
    table = value if isinstance(value, dict) else {"loss": value}
    unknown = set(table) - {"loss", "least"}
    floor = Floor(float(table.get("loss", 1.0)), float(table.get("least", 0.0)))
    if unknown or not (0 <= floor.loss <= 1 and 0 <= floor.least <= 1) or not table:
        raise ValueError(f"{value!r} is no floor")
    return floor


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation record: which model was measured, and its scores; `digest` is the SHA-256 of its GGUF."""

    model: str
    digest: str
    tasks: Mapping[str, Measured]


def read_evaluation(path: Path) -> Evaluation:
    """Read an evaluation record, `{"model", "digest", "tasks": {NAME: {"score", "n", ...}}}`.

    Scores are 0 to 1; what else a task says is left alone. `WrongUsage` for what is no such record.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
        tasks = {str(name): _measured(one) for name, one in raw["tasks"].items()}
        return Evaluation(str(raw["model"]), str(raw["digest"]), tasks)
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="name an evaluation record") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WrongUsage(
            f"{path}: no evaluation record: {error}", way_out="casemate factory evaluate writes one"
        ) from error


def _measured(raw: Mapping[str, Any]) -> Measured:
    score, n = raw["score"], raw["n"]
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise ValueError(f"{score!r} is no score from 0 to 1")
    if isinstance(n, bool) or not isinstance(n, int) or n <= 0:
        raise ValueError(f"{n!r} is no number of items")
    return Measured(float(score), n)


def check_gate(floors: Mapping[str, Floor], build: Evaluation, parent: Evaluation, digest: str) -> Verdict:
    """Judge a build whose weights have the given digest; `NotTrusted`, naming what fell, when it is refused."""
    if build.digest != digest:
        raise NotTrusted(
            f"the evaluation is of another file (SHA-256 {build.digest[:64]}), not of these weights ({digest})",
            way_out="evaluate the very file that is packaged",
        )
    verdict = judge(floors, build.tasks, parent.tasks)
    if verdict.refused:
        lines = "".join(f"\n  {task}" for task in verdict.refused)
        raise NotTrusted(
            f"the gate refuses this build:{lines}", way_out="train or quantise it less, or leave the task out"
        )
    return verdict

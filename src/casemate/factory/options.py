"""Train the weights by which `ask` compares the options of a question, on questions made from the knowledge itself."""

import json
import logging
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casemate.factory.off_topic import everyday_questions, make_off_topic
from casemate.factory.question_maker import Question
from casemate.factory.questions import make_questions
from casemate.knowledge import Knowledge, build_default, import_file
from casemate.stages.classify.weights import seal_weights
from casemate.stages.retrieve.option_weights import FILE, SIGNS
from casemate.stages.retrieve.options import NAMES, Weighed, compared, logits_of, measure, signs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from casemate.factory.train import Job

    Numbers = NDArray[np.float64]

OFFICIAL = (
    "attack/enterprise-attack.json.gz",
    "attack/mobile-attack.json.gz",
    "attack/ics-attack.json.gz",
    "capec/stix-capec-2.1.json.gz",
)
"""The files, below `knowledge/` in the training data, that the questions are made from beside the default index."""

QUESTIONS = 3_000
OFF_TOPIC = 0.08  # of the questions
FOLDS = 5
"""Entries are dealt to five folds with all questions about them: one tests, one calibrates, three train."""

PENALTY = 0.02
STEPS = 400
RATE = 0.05
RIDGE = 1.0
REFUSED = 0.95
"""The share of calibrating questions about other things that must stay without an answer."""

NOT_LEARNED = ("unknown",)
"""Made options hold no words that the knowledge lacks, so nothing true can be learned about them."""

AWAY = ("off-topic", "everyday")
_log = logging.getLogger("casemate.factory.options")


@dataclass(frozen=True, slots=True)
class Asked:
    """A made question, what was measured of it over one index, and which fold its entry is in."""

    question: Question
    weighed: Weighed
    index: str
    fold: int


def train_options(job: "Job") -> None:
    """Build two indexes, make questions, measure their options, fit and calibrate; the manifest comes last."""
    indexes = {"default": job.out / "default.sqlite", "official": job.out / "official.sqlite"}
    _build(job, indexes)
    count = job.steps if job.steps > 0 else QUESTIONS
    with Knowledge.open(indexes["official"]) as knowledge:
        questions = make_questions(knowledge, count, job.seed)
    away = int(OFF_TOPIC * count)
    questions += [*everyday_questions(), *make_off_topic(away, job.seed)]
    _log.info("%d questions made", len(questions))
    rows: list[Asked] = []
    releases = {}
    for name, path in indexes.items():
        with Knowledge.open(path) as knowledge:
            rows += measure_all(questions, knowledge, name)
            releases[name] = {release.name: release.digest for release in knowledge.releases()}
    held, figures = fit_weights(rows)
    _log.info("%s", json.dumps(figures))
    (job.out / FILE).write_text(json.dumps(held, indent=1) + "\n", "utf-8")
    papers = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": job.seed,
        "questions": len(questions),
        "releases": releases,
        "figures": figures,
    }
    seal_weights("ask", job.out, [FILE], papers)


def _build(job: "Job", indexes: dict[str, Path]) -> None:
    if not indexes["default"].exists():
        build_default(indexes["default"])
    if not indexes["official"].exists():
        begun = job.out / "begun.sqlite"
        for ending in ("", ".seal"):
            shutil.copyfile(f"{indexes['default']}{ending}", f"{begun}{ending}")
        for name in OFFICIAL:
            import_file(begun, job.data / "knowledge" / name)
        for ending in (".seal", ""):
            Path(f"{begun}{ending}").replace(f"{indexes['official']}{ending}")


def measure_all(questions: Sequence[Question], knowledge: Knowledge, index: str) -> list[Asked]:
    """Measure every question over one index."""
    return [
        Asked(one, measure(one.text, one.options, knowledge.pieces), index, zlib.crc32(one.about.encode()) % FOLDS)
        for one in questions
    ]


def fit_weights(rows: Sequence[Asked]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the weights on plain questions, calibrate on another fold, test on the last; negated ones turned round."""
    import numpy as np

    matter = [one for one in rows if one.question.sort not in AWAY]
    learn = [one for one in matter if one.fold > 1 and not one.weighed.negated and len(one.question.options) == 4]
    stacked = np.array([compared(one.weighed.measured) for one in learn])
    stacked[:, :, [place for place, name in enumerate(NAMES) if name.split(":")[1] in NOT_LEARNED]] = 0
    weights = fit(stacked, np.array([one.question.right for one in learn]))
    scored = [(one, logits_of(one.weighed, weights)) for one in rows]
    seen = np.array([signs(one.weighed, logits) for one, logits in scored])
    right = np.array([is_right(one, logits) for one, logits in scored])
    known = right & np.array([one.question.sort not in AWAY for one, _ in scored])
    folds = np.array([one.fold for one, _ in scored])
    centre, scale, slopes, offset = fit_chance(seen[folds == 1], known[folds == 1])
    chances = 1 / (1 + np.exp(-(((seen - centre) / scale) @ slopes + offset)))
    off = np.array([one.question.sort in AWAY for one, _ in scored])
    least = float(np.quantile(chances[off & (folds == 1)], REFUSED))
    held = {
        "weights": {name: round(float(value), 4) for name, value in zip(NAMES, weights, strict=True)},
        "calibration": {
            "centre": _named(centre),
            "scale": _named(scale),
            "slopes": _named(slopes),
            "offset": round(offset, 4),
        },
        "least": round(least, 4),
    }
    figures: dict[str, Any] = {"trained_on": len(learn)}
    for index in sorted({one.index for one in rows}):
        chosen = [place for place, (one, _) in enumerate(scored) if one.index == index and one.fold == 0]
        figures[index] = report([scored[place][0] for place in chosen], right[chosen], chances[chosen], least)
    return held, figures


def is_right(one: Asked, logits: "Numbers") -> bool:
    """Tell whether the best option is the right one."""
    return int(logits.argmax()) == one.question.right


def _named(row: "Numbers") -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(SIGNS, row, strict=True)}


def report(rows: Sequence[Asked], right: "NDArray[np.bool_]", chances: "Numbers", least: float) -> dict[str, Any]:
    """Tell how often the answers are right by sort, how well the chances are calibrated, and what is refused."""
    import numpy as np

    sorts = np.array([one.question.sort for one in rows])
    negated = np.array([one.weighed.negated for one in rows])
    off = np.isin(sorts, AWAY)
    given = chances >= least
    told: dict[str, Any] = {}
    for mode, chosen in (("plain", ~negated & ~off), ("negated", negated & ~off)):
        told[mode] = {
            sort: {"questions": int(held.sum()), "accuracy": round(float(right[held].mean()), 4)}
            for sort in ("", *sorted(set(sorts.tolist())))
            if (held := chosen & ((sorts == sort) | (sort == ""))).any()
        }
    told["ece"] = round(calibration_error(chances[~off], right[~off]), 4)
    told["answered"] = round(float(given[~off].mean()), 4)
    told["accuracy_of_answered"] = round(float(right[~off & given].mean()), 4) if (~off & given).any() else 0.0
    told["refused"] = {
        sort: {"questions": int((sorts == sort).sum()), "refused": round(float((~given)[sorts == sort].mean()), 4)}
        for sort in AWAY
        if (sorts == sort).any()
    }
    return told


def calibration_error(chances: "Numbers", right: "NDArray[np.bool_]", bins: int = 10) -> float:
    """Give the expected calibration error over bins of equal width (M. P. Naeini et al., 2015)."""
    import numpy as np

    place = np.minimum((chances * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(chances[place == one].mean() - right[place == one].mean()) * (place == one).mean() for one in set(place)
        )
    )


def fit_chance(seen: "Numbers", right: "NDArray[np.bool_]") -> tuple["Numbers", "Numbers", "Numbers", float]:
    """Fit a logistic model with a quadratic penalty by Newton's steps; return centre, scale, slopes and offset."""
    import numpy as np

    centre, scale = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(scale > 1e-3, scale, 1.0)
    rows = np.concatenate([(seen - centre) / scale, np.ones((len(seen), 1))], axis=1)
    penalty = np.diag([RIDGE] * seen.shape[1] + [1e-6])
    weights = np.zeros(rows.shape[1])
    for _ in range(25):
        chances = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (chances - right) + penalty @ weights
        curve = (rows * (chances * (1 - chances))[:, None]).T @ rows + penalty
        weights = weights - np.linalg.solve(curve, slope)
    return centre, scale, weights[:-1], float(weights[-1])


def fit(rows: "Numbers", right: "NDArray[np.int64]") -> "Numbers":
    """Fit a softmax over the options of each question (questions x options x features) with a quadratic penalty."""
    import numpy as np

    weights = np.zeros(rows.shape[2])
    first = second = np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        logits = rows @ weights
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        chances[np.arange(len(right)), right] -= 1
        slope = np.einsum("qo,qof->f", chances, rows) / max(len(right), 1) + PENALTY * weights
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        weights = weights - RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights

"""Choose, on held-out rows, how the two models of `map cwe` answer together, and what their probabilities mean."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.bench.cti import calibration_error
from casemate.factory.calibrate import fit_curve, mean_log_loss, search
from casemate.factory.rows import Row, draw
from casemate.stages.classify.answer import interpolate, log_softmax, softmax
from casemate.stages.classify.cwe import HABITS
from casemate.stages.classify.cwe_view import View
from casemate.stages.classify.encoder import Encoder
from casemate.stages.classify.ngrams import NgramModel

LOG = logging.getLogger(__name__)
Array = NDArray[Any]
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_SURE_LOSS = 0.002
_QUICK = 0.55


class Seen:
    """What both models say of held-out rows: log-probabilities by labelling source, shape (rows, classes)."""

    def __init__(
        self,
        rows: Sequence[Row],
        linear: NgramModel,
        encoder: Encoder | None,
        places: dict[str, list[int]],
        view: View | None = None,
    ) -> None:
        self.rows, self.view = rows, view
        means = np.stack([linear.mean(row.text) for row in rows])
        self.linear = {
            habit: log_softmax(linear.logits("cwe", means, at)[:, places["linear"]]) for at, habit in enumerate(HABITS)
        }
        self.encoder = {habit: np.zeros_like(value) for habit, value in self.linear.items()}
        if encoder is not None:
            vectors = encoder.embed([row.text for row in rows])
            for habit in HABITS:
                self.encoder[habit] = log_softmax(encoder.logits("cwe", vectors, habit)[:, places["encoder"]])

    def chances(self, logits: Array) -> Array:
        """Return probabilities, within the view if the habit has one."""
        plain = softmax(logits)
        return plain if self.view is None else self.view.gather(plain)

    def truths(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the place of each row's weakness among the classes, -1 where it is none of them."""
        at = {name: place for place, name in enumerate(classes)}
        return np.asarray([at.get(row.cwe, -1) for row in self.rows])


def mixed(by_source: dict[str, Any], share: float) -> Any:
    """Return the weighted sum of NVD's and the authorities' log-probabilities, the first with this share."""
    return share * by_source["nvd"] + (1 - share) * by_source["cna"]


def tune(seen: Seen, classes: Sequence[str]) -> dict[str, Any]:
    """Return the tuning for one habit: shares of sources, weights of the models, curves, the cut for being sure."""
    truths = seen.truths(classes)

    def loss(point: Sequence[float]) -> float:
        share, first, second = point
        both = first * log_softmax(mixed(seen.linear, share)) + second * log_softmax(mixed(seen.encoder, share))
        return mean_log_loss(np.log(np.maximum(seen.chances(both), 1e-9)), truths)

    weights = [0.1 * step for step in range(21)]
    blind = not any(value.any() for value in seen.encoder.values())
    grids = (SHARES, weights, [0.0] if blind else weights)
    (share, first, second), best = search(loss, grids)
    alone = log_softmax(mixed(seen.linear, share))

    def loss_alone(point: Sequence[float]) -> float:
        return mean_log_loss(np.log(np.maximum(seen.chances(point[0] * alone), 1e-9)), truths)

    sharpness, _ = search(loss_alone, ([0.1 * n for n in range(5, 31)],))
    quick = seen.chances(sharpness[0] * alone)
    both = seen.chances(first * alone + second * log_softmax(mixed(seen.encoder, share)))
    sure = 0.0 if blind else _choose_sure(quick, both, truths)
    unsure = quick.max(axis=1) < sure
    LOG.info("share %.2f, weights %.2f and %.2f, log loss %.3f, sure from %.3f", share, first, second, best, sure)
    return {
        "sources": {"nvd": share, "cna": 1 - share},
        "linear_weight": first,
        "encoder_weight": second,
        "linear_sharpness": sharpness[0],
        "sure": sure,
        "within_view": seen.view is not None,
        "linear_curve": _curve(quick, truths, ~unsure),
        "both_curve": _curve(both, truths, unsure),
    }


def _curve(chances: Array, truths: NDArray[np.int64], chosen: NDArray[np.bool_]) -> list[tuple[float, float]]:
    tops, right = chances.max(axis=1)[chosen], (chances.argmax(axis=1) == truths)[chosen]
    return [(0.0, 0.0), (1.0, 1.0)] if len(tops) < 100 else fit_curve(list(tops), list(right))


def _choose_sure(quick: Array, both: Array, truths: NDArray[np.int64]) -> float:
    """Return the least probability of the first model from which the second gains less than two in a thousand.

    It is never so high that fewer than `_QUICK` of the texts are answered by the first model alone, which takes a
    tenth of the time.
    """
    tops, right_alone = quick.max(axis=1), quick.argmax(axis=1) == truths
    right_both = both.argmax(axis=1) == truths
    highest = float(np.quantile(tops, 1 - _QUICK))
    for cut in np.arange(0.5, highest, 0.01):
        certain = tops >= cut
        if (right_both[certain].sum() - right_alone[certain].sum()) / len(tops) <= _SURE_LOSS:
            return round(float(cut), 3)
    LOG.info("the first model answers from %.3f; the second would gain more than two in a thousand there", highest)
    return round(highest, 3)


def apply(seen: Seen, tuned: dict[str, Any]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return, as the specialist would give them: scores (rows, classes), the shown probability, who was sure."""
    share = tuned["sources"]["nvd"]
    alone = log_softmax(mixed(seen.linear, share))
    quick = seen.chances(tuned["linear_sharpness"] * alone)
    second = tuned["encoder_weight"] * log_softmax(mixed(seen.encoder, share))
    both = seen.chances(tuned["linear_weight"] * alone + second)
    sure = quick.max(axis=1) >= tuned["sure"]
    scores = np.where(sure[:, None], quick, both)
    shown = [
        interpolate(tuned["linear_curve" if certain else "both_curve"], float(row.max()))
        for row, certain in zip(scores, sure, strict=True)
    ]
    return scores, np.asarray(shown), sure


def measure(seen: Seen, tuned: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """Return figures of a tuning on held-out rows."""
    truths = seen.truths(classes)
    scores, shown, sure = apply(seen, tuned)
    right = scores.argmax(axis=1) == truths
    five = (np.argsort(-scores, axis=1)[:, :5] == truths[:, None]).any(axis=1)
    surest = np.argsort(-shown)[: len(shown) // 2]
    share = tuned["sources"]["nvd"]
    return {
        "n": len(truths),
        "accuracy": float(right.mean()),
        "in_five": float(five.mean()),
        "coverage50": float(right[surest].mean()),
        "ece": calibration_error(list(zip(shown.tolist(), right.tolist(), strict=True))),
        "sure": float(sure.mean()),
        "linear_alone": float((seen.chances(mixed(seen.linear, share)).argmax(axis=1) == truths).mean()),
        "encoder_alone": float((seen.chances(mixed(seen.encoder, share)).argmax(axis=1) == truths).mean()),
        "without_view": float((_whole(seen, tuned).argmax(axis=1) == truths).mean()),
    }


def _whole(seen: Seen, tuned: dict[str, Any]) -> Array:
    """Return what both models would say if every weakness might be named."""
    share = tuned["sources"]["nvd"]
    first = tuned["linear_weight"] * log_softmax(mixed(seen.linear, share))
    whole: Array = first + tuned["encoder_weight"] * log_softmax(mixed(seen.encoder, share))
    return whole


def cross_fit(seen: Seen, classes: Sequence[str]) -> dict[str, Any]:
    """Return the figures when each half of the rows is answered with what was tuned on the other half."""
    half = np.asarray([draw(row.name, "half") < 0.5 for row in seen.rows])
    parts = []
    for side in (half, ~half):
        tuned = tune(part_of(seen, ~side), classes)
        parts.append(measure(part_of(seen, side), tuned, classes))
    total = sum(part["n"] for part in parts)
    names = [name for name in parts[0] if name != "n"]
    return {"n": total} | {name: sum(part[name] * part["n"] for part in parts) / total for name in names}


def part_of(seen: Seen, chosen: NDArray[np.bool_]) -> Seen:
    """Return what was seen of some of the rows."""
    part = object.__new__(Seen)
    part.view = seen.view
    part.rows = [row for row, keep in zip(seen.rows, chosen, strict=True) if keep]
    part.linear = {name: value[chosen] for name, value in seen.linear.items()}
    part.encoder = {name: value[chosen] for name, value in seen.encoder.items()}
    return part

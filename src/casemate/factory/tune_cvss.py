"""Choose, on held-out rows, how `map cvss` turns two models' metrics into one vector."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.bench.cti import calibration_error
from casemate.factory.calibrate import fit_curve, search
from casemate.factory.rows import Row
from casemate.stages.classify.answer import Floats, interpolate
from casemate.stages.classify.cvss import HABITS, VectorChoice
from casemate.stages.classify.cvss_score import METRICS, base_score, every_vector
from casemate.stages.classify.encoder import Encoder
from casemate.stages.classify.ngrams import NgramModel

LOG = logging.getLogger(__name__)


def count_together(rows: Sequence[Row]) -> Floats:
    """Return for every vector how much oftener its values go together than each for itself would say, as a logarithm.

    NVD's vectors count three times; every vector is seen half a time more than it was.
    """
    counts: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        if row.metrics:
            counts[row.metrics] += 3 if row.metrics_origin == "nvd" else 1
    places = np.asarray(every_vector()[0])
    joint = np.asarray([counts[tuple(place)] + 0.5 for place in places.tolist()])
    joint = joint / joint.sum()
    alone = np.zeros(len(places))
    for at, values in enumerate(METRICS.values()):
        shares = np.bincount(places[:, at], weights=joint, minlength=len(values))
        alone += np.log(shares[places[:, at]])
    result: Floats = (np.log(joint) - alone).astype(np.float32)
    return result


def logits_of(rows: Sequence[Row], linear: NgramModel, encoder: Encoder | None, habit: str) -> tuple[Floats, Floats]:
    """Return both models' 22 logits for each row, as `nvd` or the naming authorities (`cna`) would score."""
    first = np.stack([linear.logits("cvss", linear.mean(row.text), HABITS.index(habit)) for row in rows])
    if encoder is None:
        return first, np.zeros_like(first)
    return first, encoder.logits("cvss", encoder.embed([row.text for row in rows]), habit)


def tune(rows: Sequence[Row], logits: tuple[Floats, Floats], together: Floats) -> dict[str, Any]:
    """Return the tuning with the least log loss of the true vector, then with the least deviation of the score."""
    index = {place: at for at, place in enumerate(every_vector()[0])}
    truths = np.asarray([index[row.metrics] for row in rows])

    def loss(point: Sequence[float]) -> float:
        choice = VectorChoice(together, {"sharpness": 1.0, "together": point[2], "likely": 0.0})
        chances = [choice.chances(point[0] * one + point[1] * two) for one, two in zip(*logits, strict=True)]
        picked = np.asarray(chances)[np.arange(len(truths)), truths]
        return float(-np.log(np.maximum(picked, 1e-6)).mean())

    weights = [0.2 * n for n in range(8)]
    (first, second, join), best = search(loss, (weights, weights if logits[1].any() else [0.0], [0.0, 0.2, 0.4, 0.7]))
    tuned = {"linear_weight": first, "encoder_weight": second, "sharpness": 1.0, "together": join, "likely": 0.0}
    LOG.info("cvss weights %.1f, %.1f, together %.2f, log loss %.3f", first, second, join, best)
    options = [0.0, 0.25, 0.5, 1.0, 2.0]
    tuned["likely"] = min(
        options, key=lambda value: measure(rows, logits, together, tuned | {"likely": value})["deviation"]
    )
    shown, right = _shown(rows, logits, together, tuned)
    return tuned | {"curve": fit_curve(shown, right), "abstain_below": 0.0}


def _shown(
    rows: Sequence[Row], logits: tuple[Floats, Floats], together: Floats, tuned: dict[str, Any]
) -> tuple[list[float], list[bool]]:
    choice = VectorChoice(together, tuned)
    places = every_vector()[0]
    shown, right = [], []
    for row, one, two in zip(rows, *logits, strict=True):
        chances = choice.chances(tuned["linear_weight"] * one + tuned["encoder_weight"] * two)
        place = choice.choose(chances)
        shown.append(float(chances[place]))
        right.append(places[place] == row.metrics)
    return shown, right


def measure(
    rows: Sequence[Row], logits: tuple[Floats, Floats], together: Floats, tuned: dict[str, Any]
) -> dict[str, Any]:
    """Return figures on held-out rows: deviation of the score, exact vectors, accuracy by metric, calibration error."""
    choice = VectorChoice(together, tuned)
    places = every_vector()[0]
    deviations, likely, hits, pairs = [], [], np.zeros(len(METRICS)), []
    for row, one, two in zip(rows, *logits, strict=True):
        values = {name: METRICS[name][at] for name, at in zip(METRICS, row.metrics, strict=True)}
        truth = base_score(values)
        chances = choice.chances(tuned["linear_weight"] * one + tuned["encoder_weight"] * two)
        place = choice.choose(chances)
        deviations.append(abs(float(choice.scores[place]) - truth))
        likely.append(abs(float(choice.scores[int(chances.argmax())]) - truth))
        hits += np.asarray(places[place]) == np.asarray(row.metrics)
        if "curve" in tuned:
            pairs.append((interpolate(tuned["curve"], float(chances[place])), places[place] == row.metrics))
    exact = float(np.mean([places_right for _, places_right in pairs])) if pairs else 0.0
    by_metric: NDArray[np.float64] = hits / len(rows)
    return {
        "n": len(rows),
        "deviation": float(np.mean(deviations)),
        "deviation_of_likeliest": float(np.mean(likely)),
        "vector": exact,
        "ece": calibration_error(pairs),
        "metrics": dict(zip(METRICS, (round(float(share), 4) for share in by_metric), strict=True)),
    }

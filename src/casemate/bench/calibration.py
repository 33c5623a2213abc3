"""Whether a probability means what it says: reliability, calibration error, coverage, and figures by class."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

BINS = 10
COVERAGES = (25, 50, 75, 100)
"""Shares of the items, in percent, the surest first, at which the coverage curve is read."""

Judged = Sequence[tuple[float, bool]]
"""(probability 0..1, whether it was right) of every answer."""


def _bin_of(probability: float, bins: int) -> int:
    return min(int(probability * bins), bins - 1)


def calibration_error(pairs: Judged, bins: int = BINS) -> float:
    """Return the expected calibration error: the mean distance of probability and accuracy over equal bins of 0..1."""
    error = 0.0
    for at in range(bins):
        inside = [pair for pair in pairs if _bin_of(pair[0], bins) == at]
        error += abs(sum(chance for chance, _ in inside) - sum(right for _, right in inside))
    return error / len(pairs) if pairs else 0.0


def reliability(pairs: Judged, bins: int = BINS) -> list[dict[str, float]]:
    """Return, for every bin that holds an answer: its bounds, how many, their mean probability and their accuracy."""
    table = []
    for at in range(bins):
        inside = [pair for pair in pairs if _bin_of(pair[0], bins) == at]
        if inside:
            table.append(
                {
                    "from": round(at / bins, 2),
                    "to": round((at + 1) / bins, 2),
                    "n": len(inside),
                    "probability": round(sum(chance for chance, _ in inside) / len(inside), 4),
                    "accuracy": round(sum(right for _, right in inside) / len(inside), 4),
                }
            )
    return table


def coverage_curve(
    rows: Sequence[Mapping[str, Any]], sure: str, score: Callable[[Sequence[Mapping[str, Any]]], float]
) -> dict[str, float]:
    """Return the score of the surest 25, 50, 75 and 100 % of the rows; `sure` names the number they are ordered by."""
    ordered = sorted(rows, key=lambda row: -row[sure])
    return {str(share): round(score(ordered[: max(len(ordered) * share // 100, 1)]), 4) for share in COVERAGES}


def describe_probabilities(pairs: Judged) -> dict[str, Any]:
    """Return the calibration error and the reliability table behind it."""
    return {"calibration_error": round(calibration_error(pairs), 4), "reliability": reliability(pairs)}


def figures_by_class(pairs: Iterable[tuple[Iterable[str], Iterable[str]]]) -> dict[str, dict[str, float]]:
    """Return n, precision, recall and F1 of every class that is a truth or an answer, the commonest first.

    Args:
        pairs: (answers, truths) of every item; one of each where an item has one class.
    """
    said: Counter[str] = Counter()
    real: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for answers, truths in pairs:
        given, wanted = {one for one in answers if one}, set(truths)
        said.update(given)
        real.update(wanted)
        right.update(given & wanted)
    names = sorted({*said, *real}, key=lambda name: (-real[name], name))
    return {
        name: {
            "n": real[name],
            "precision": round(right[name] / said[name], 4) if said[name] else 0.0,
            "recall": round(right[name] / real[name], 4) if real[name] else 0.0,
            "f1": round(2 * right[name] / (said[name] + real[name]), 4),
        }
        for name in names
    }

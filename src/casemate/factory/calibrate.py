"""Fit what stands between logits and the probability that is shown, on rows that were held out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def fit_curve(chances: Sequence[float], right: Sequence[bool], pieces: int = 10) -> list[tuple[float, float]]:
    """Return the points of a rising line from a model's probability to how often it is right.

    Equal numbers of items a piece, pooled where accuracy falls (isotonic), each piece drawn a little to the whole.
    """
    order = np.argsort(chances)
    xs, ys = np.asarray(chances, float)[order], np.asarray(right, float)[order]
    groups: list[list[float]] = []
    for part in np.array_split(np.arange(len(xs)), pieces):
        count = float(len(part))
        groups.append([float(xs[part].sum()), float(ys[part].sum()) + float(xs[part].mean()), count])
    pooled: list[list[float]] = []
    for group in groups:
        pooled.append(group)
        while len(pooled) > 1 and _height(pooled[-2]) > _height(pooled[-1]):
            last = pooled.pop()
            pooled[-1] = [left + right for left, right in zip(pooled[-1], last, strict=True)]
    points = [(total / count, min(hits / (count + 1), 0.995)) for total, hits, count in pooled]
    return [(0.0, points[0][1] * 0.5), *points, (1.0, max(points[-1][1], 0.99))]


def _height(group: Sequence[float]) -> float:
    return group[1] / (group[2] + 1)


def search(loss: Callable[[Sequence[float]], float], grids: Sequence[Sequence[float]]) -> tuple[list[float], float]:
    """Return the point of a grid with the least loss, found one axis at a time until nothing gets better."""
    point = [grid[len(grid) // 2] for grid in grids]
    best = loss(point)
    moved = True
    while moved:
        moved = False
        for axis, grid in enumerate(grids):
            for value in grid:
                other = [*point[:axis], value, *point[axis + 1 :]]
                found = loss(other)
                if found < best - 1e-9:
                    point, best, moved = other, found, True
    return point, best


def mean_log_loss(log_chances: NDArray[Any], truths: Sequence[int] | NDArray[Any]) -> float:
    """Return the mean negative log-probability of the truths; a truth outside the classes (-1) counts as 1 in 1,000."""
    rows = np.arange(len(truths))
    places = np.asarray(truths)
    found = np.where(places >= 0, log_chances[rows, np.maximum(places, 0)], np.log(1e-3))
    return float(-np.maximum(found, np.log(1e-6)).mean())

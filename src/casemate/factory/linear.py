"""Train the sparse linear models: featurise once, softmax over hashed n-grams, cut to the weights that matter.

The features are those of `stages.classify.linear`, so what is trained here is what is asked there. Needs SciPy.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.stages.classify.linear import SparseLinear, features_of

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinearRecipe:
    """How a linear model is trained.

    Args:
        epochs: passes over the rows.
        batch: rows a step.
        rate: of AdaGrad, one for each weight.
        decay: L2 penalty on the weights a step touches.
        smoothing: share of the target spread over all classes.
        least_rows: rows a feature must stand in.
        kept: weights kept in all, the largest times idf first.
    """

    epochs: int = 2
    batch: int = 128
    rate: float = 0.3
    decay: float = 1e-6
    smoothing: float = 0.05
    least_rows: int = 2
    kept: int = 2_600_000
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as a SciPy CSR matrix of tf-idf of length one, over the features whose numbers are listed."""

    matrix: Any
    numbers: NDArray[np.int64]
    idf: NDArray[np.float32]


def count_features(texts: Sequence[str], least_rows: int) -> Table:
    """Return the table of the texts over the features that stand in `least_rows` of them or more."""
    from scipy.sparse import csr_matrix

    found = [features_of(text) for text in texts]
    columns = np.concatenate([numbers for numbers, _ in found])
    numbers, counts = np.unique(columns, return_counts=True)
    idf = (np.log((1 + len(texts)) / (1 + counts)) + 1).astype(np.float32)
    chosen = counts >= least_rows
    numbers, idf = numbers[chosen], idf[chosen]
    del columns
    starts, places, values = [0], [], []
    for given, weights in found:
        at = np.minimum(np.searchsorted(numbers, given), len(numbers) - 1)
        known = numbers[at] == given
        at, weighed = at[known], weights[known] * idf[at[known]]
        places.append(at.astype(np.int32))
        values.append(weighed / max(float(np.sqrt((weighed * weighed).sum())), 1e-9))
        starts.append(starts[-1] + len(at))
    shape = (len(texts), len(numbers))
    matrix = csr_matrix((np.concatenate(values), np.concatenate(places), np.asarray(starts)), shape=shape)
    return Table(matrix, numbers, idf)


def train_softmax(
    table: Table, targets: Sequence[Sequence[int]], weights: NDArray[np.float32], classes: int, recipe: LinearRecipe
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights (features x classes) and bias (classes) that minimise the cross-entropy.

    A row with several targets shares its one unit of probability among them.
    """
    matrix, chance = table.matrix, np.random.default_rng(recipe.seed)
    rows, columns = matrix.shape
    learned = np.zeros((columns, classes), np.float32)
    squares = np.full((columns, classes), 1e-6, np.float32)
    bias, bias_squares = np.zeros(classes, np.float32), np.full(classes, 1e-6, np.float32)
    for epoch in range(recipe.epochs):
        order, total = chance.permutation(rows), 0.0
        rate = recipe.rate * (1 - epoch / recipe.epochs)
        for start in range(0, rows, recipe.batch):
            places = order[start : start + recipe.batch]
            part = matrix[places]
            touched = np.unique(part.indices)
            part = part[:, touched]
            now = learned[touched]
            logits = part @ now + bias
            shown = _softmax(logits)
            wanted = np.full_like(shown, recipe.smoothing / classes)
            for line, place in enumerate(places):
                given = targets[place]
                wanted[line, list(given)] += (1 - recipe.smoothing) / len(given)
            weighed = weights[places, None]
            total -= float((np.log(np.maximum(shown, 1e-12)) * wanted * weighed).sum())
            slope = (shown - wanted) * weighed
            steps = (part.T @ slope) + recipe.decay * recipe.batch * now
            squares[touched] = held = squares[touched] + steps * steps
            learned[touched] = now - rate * steps / np.sqrt(held)
            flat = slope.sum(axis=0)
            bias_squares += flat * flat
            bias -= 0.3 * rate * flat / np.sqrt(bias_squares)
        LOG.info("epoch %d, loss %.4f", epoch + 1, total / rows)
    return learned, bias


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


def cut(table: Table, learned: NDArray[np.float32], bias: NDArray[np.float32], kept: int) -> SparseLinear:
    """Return the model with its `kept` most telling weights as int8; the common part of a feature goes first.

    A softmax does not change when the same number is added to all classes, so each feature's median is taken off.
    """
    centred = learned - np.median(learned, axis=1, keepdims=True)
    telling = np.abs(centred) * table.idf[:, None]
    if kept < telling.size:
        bar = np.partition(telling.ravel(), telling.size - kept)[telling.size - kept]
        centred[telling < bar] = 0.0
    scale = np.maximum(np.abs(centred).max(axis=0) / 127, 1e-9).astype(np.float32)
    whole = np.rint(centred / scale).astype(np.int8)
    used = np.flatnonzero(whole.any(axis=1))
    places, classes = np.nonzero(whole[used])
    starts = np.concatenate(([0], np.cumsum(np.bincount(places, minlength=len(used)))))
    return SparseLinear(
        table.numbers[used].astype(np.int32),
        table.idf[used],
        starts.astype(np.int32),
        classes.astype(np.uint16),
        whole[used][places, classes],
        scale,
        bias,
    )


def save(model: SparseLinear, path: Path, **more: NDArray[Any]) -> None:
    """Write the model, and more arrays beside its own, as a compressed `.npz` that holds no pickle."""
    numbers = np.diff(model.numbers, prepend=0).astype(np.int32)
    arrays: dict[str, Any] = {
        "numbers": numbers,
        "idf": model.idf.astype(np.float16),
        "starts": np.diff(model.starts).astype(np.uint16),
        "classes": model.classes,
        "weights": model.weights,
        "scale": model.scale,
        "bias": model.bias,
    }
    arrays.update(more)
    np.savez_compressed(path, **arrays)

"""Boosted decision trees, asked with NumPy: every tree as rows of one table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DEEPEST = 64


class Trees:
    """The sum of many small trees.

    Args of the arrays: `feature` (of each node, -1 for a leaf), `bar` (left where the value is not above it), `left`
    and `right` (places of the children), `value` (of a leaf), `roots` (the place of each tree), `base` (one number).
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._feature: NDArray[np.int32] = arrays["feature"].astype(np.int32)
        self._bar: NDArray[np.float32] = arrays["bar"].astype(np.float32)
        self._left: NDArray[np.int32] = arrays["left"].astype(np.int32)
        self._right: NDArray[np.int32] = arrays["right"].astype(np.int32)
        self._value: NDArray[np.float32] = arrays["value"].astype(np.float32)
        self._roots: NDArray[np.int32] = arrays["roots"].astype(np.int32)
        self._base = float(arrays["base"])

    def score(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the log-odds of each row (n) of features (n, features)."""
        total = np.full(len(rows), self._base, np.float32)
        lines = np.arange(len(rows))
        for root in self._roots:
            places = np.full(len(rows), root, np.int32)
            for _ in range(_DEEPEST):
                feature = self._feature[places]
                inner = feature >= 0
                if not inner.any():
                    break
                goes_left = rows[lines, np.maximum(feature, 0)] <= self._bar[places]
                places = np.where(inner, np.where(goes_left, self._left[places], self._right[places]), places)
            total += self._value[places]
        return total

"""The weaknesses that a labelling authority chooses among, and where the chance of every other weakness goes.

NVD names only the 130 weaknesses of view CWE-1003 ("Weaknesses for Simplified Mapping of Published Vulnerabilities"),
while naming authorities use the whole dictionary. So what speaks for a stack overflow (CWE-121) speaks, where NVD's
label is wanted, for the out-of-bounds write above it (CWE-787).
"""

from collections.abc import Sequence

import numpy as np

from casemate.stages.classify.answer import Floats


class View:
    """Moves the chances of classes outside a view to their nearest ancestors inside it.

    Args:
        targets: for each class the places it counts for: its own inside the view, those of its nearest ancestors
            outside it, none where no ancestor is a class; the chance is shared equally among them.
    """

    def __init__(self, targets: Sequence[Sequence[int]]) -> None:
        self._moved = np.zeros((len(targets), len(targets)), np.float32)
        for place, places in enumerate(targets):
            self._moved[place, list(places)] = 1.0 / max(len(places), 1)

    def gather(self, chances: Floats) -> Floats:
        """Return the chances inside the view, shape kept, scaled to a sum of one along the last axis."""
        moved = chances @ self._moved
        result: Floats = moved / np.maximum(moved.sum(axis=-1, keepdims=True), 1e-9)
        return result

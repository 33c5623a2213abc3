"""The trained weights of the options and the calibration of the best one, checked against their manifest."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import NotTrusted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FOLDER = Path(__file__).parent
FILE, MANIFEST = "ask.json", "ask.manifest.json"

SIGNS = (
    "share",  # logarithm of the best option's share of the evidence
    "margin",  # by how much it leads the second
    "support",  # the most that one passage says of question and some option
    "support_of_best",  # the same for the best option
    "sentence",  # the best sentence for any option
    "nearness",  # of the passage nearest the question
    "known",  # share of the question's terms that the knowledge holds
    "entities",  # whether the question names an entry
    "negated",
    "options",  # logarithm of their number
)
"""What tells how far the best option may be trusted."""

_WAY_OUT = "install casemate again, or train anew with `casemate factory train options`"
_STEPS = 60
LEAST_HEAT = 0.02
"""By how much the logits count at least, so that the best option stays the best whatever its chance."""


@dataclass(frozen=True, slots=True)
class OptionWeights:
    """Weights of the compared features, and a logistic model of whether the best option is right.

    `least` is the chance below which `ask` gives no answer; `digest` names the manifest.
    """

    options: "Numbers"
    centre: "Numbers"
    scale: "Numbers"
    slopes: "Numbers"
    offset: float
    least: float
    digest: Digest

    def chance(self, signs: "Numbers") -> float:
        """Give the chance that the best option is right and that the knowledge speaks of the question at all."""
        import numpy as np

        return float(1.0 / (1.0 + np.exp(-(((signs - self.centre) / self.scale) @ self.slopes + self.offset))))


@lru_cache(maxsize=1)
def trained_weights() -> OptionWeights:
    """Load the shipped weights, as `casemate factory train options` left them."""
    return read_weights(FOLDER)


def read_weights(folder: Path) -> OptionWeights:
    """Read weights from a folder; `NotTrusted` where a file is missing or is not what the manifest says."""
    import numpy as np

    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        content = (folder / FILE).read_bytes()
        if hashlib.sha256(content).hexdigest() != manifest["files"][FILE]["sha256"]:
            raise NotTrusted(f"{FILE} is not the file that `ask` was measured with", way_out=_WAY_OUT)
        held = json.loads(content)
        fitted = held["calibration"]
        rows = [np.array([fitted[row][name] for name in SIGNS]) for row in ("centre", "scale", "slopes")]
        weights = np.array([float(value) for value in held["weights"].values()])
        offset, least = float(fitted["offset"]), float(held["least"])
    except FileNotFoundError as error:
        raise NotTrusted(f"the weights of `ask` are missing: {error.filename}", way_out=_WAY_OUT) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotTrusted(f"the weights of `ask` cannot be read: {error}", way_out=_WAY_OUT) from error
    return OptionWeights(weights, rows[0], rows[1], rows[2], offset, least, digest_value(manifest))


def tempered(logits: "Numbers", chance: float) -> tuple[float, ...]:
    """Turn logits into probabilities in the same order, the highest being `chance`, at least that of a blind guess."""
    import numpy as np

    spread = np.asarray(logits, float) - np.max(logits)
    low, high = LEAST_HEAT / float(1.0 - spread.min()), 200.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if 1.0 / np.exp(middle * spread).sum() < chance:
            low = middle
        else:
            high = middle
    raised = np.exp(low * spread)
    return tuple(float(value) for value in raised / raised.sum())

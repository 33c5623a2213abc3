"""How likely the alerts of a case belong to an attack, and with which priority to look.

    specialist = DispositionSpecialist.open()
    judged = specialist.judge(groups)     # the groups of `AlertGroups`
    judged.probability, judged.priority, judged.reasons

Boosted trees over the rule, its rarity and rate in this evidence, the host's duty and what else fires near it in time
(`alert_groups`). It proposes, it never closes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from casemate.core.digest import Digest
from casemate.stages.classify.alert_groups import Group, features_of_groups, rule_key
from casemate.stages.classify.trees import Trees
from casemate.stages.classify.weights import open_weights

LEAST_GROUPS = 30
LEAST_HOURS = 2.0
LEAST_KNOWN = 0.5
"""Below this share of alerts by rules that the training had, nothing is said."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the specialist says of the alerts of a case.

    Args:
        probabilities: of each group, in the order given, that it belongs to an attack; empty when it abstains.
        above: how many of the groups are above the cut.
        abstained: why nothing is said (a kebab-case code), or "".
    """

    probabilities: tuple[float, ...]
    above: int
    cut: float
    abstained: str = ""

    @property
    def highest(self) -> float:
        """The probability of the likeliest group, 0 when it abstains."""
        return max(self.probabilities, default=0.0)

    @property
    def priority(self) -> int:
        """Return 1 (look now) to 5 (no hurry) for the likeliest group."""
        return 1 + sum(self.highest < bar for bar in (0.9, 0.5, self.cut, self.cut / 4))


class DispositionSpecialist:
    """Judges groups of alerts by what surrounds them."""

    def __init__(self, trees: Trees, tuning: dict[str, object], digest: Digest) -> None:
        self._trees = trees
        scores, curve = tuning["rule_scores"], tuning["curve"]
        assert isinstance(scores, dict)
        self._scores = {rule_key(str(rule)): float(score) for rule, score in scores.items()}
        self._curve = np.asarray(curve, np.float64)
        self.cut = float(str(tuning["cut"]))
        self.digest = digest

    @classmethod
    def open(cls, folder: Path | None = None) -> "DispositionSpecialist":
        """Open the shipped weights, or those of a folder; `NotTrusted` where they are missing or altered."""
        weights = open_weights("disposition", folder)
        return cls(
            Trees(weights.arrays("disposition.npz")), json.loads(weights.files["disposition.json"]), weights.digest
        )

    def probabilities(self, groups: Sequence[Group]) -> NDArray[np.float64]:
        """Return the calibrated probability of each group (by time), whatever it is."""
        rows = features_of_groups(groups, self._scores, 0.0)
        if not len(rows):
            return np.zeros(0)
        plain = 1 / (1 + np.exp(-np.clip(self._trees.score(rows), -30, 30)))
        return np.interp(plain, self._curve[:, 0], self._curve[:, 1])

    def judge(self, groups: Sequence[Group]) -> Judged:
        """Judge the groups of one case, by time; abstain where there is too little or nothing that is known."""
        reason = self._refuse(groups)
        if reason:
            return Judged((), 0, self.cut, reason)
        chances = self.probabilities(groups)
        return Judged(tuple(map(float, chances)), int((chances >= self.cut).sum()), self.cut)

    def _refuse(self, groups: Sequence[Group]) -> str:
        if len(groups) < LEAST_GROUPS:
            return "too-few-alerts"
        if groups[-1].time - groups[0].time < LEAST_HOURS * 3600:
            return "too-short-a-time"
        known = sum(rule_key(group.rule) in self._scores for group in groups)
        return "unknown-rules" if known < LEAST_KNOWN * len(groups) else ""

"""The CVSS v3.1 base vector and score that a vulnerability text suggests.

Eight heads give the probabilities of the metrics' values; a table of how values go together in real
vectors joins them into a probability of each of the 2,592 vectors. The vector answered is the one whose
score is, on the average over those probabilities, nearest to the score of the vector that will turn out right.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from casemate.core.digest import Digest, digest_value
from casemate.stages.classify.answer import Floats, interpolate, log_softmax, softmax
from casemate.stages.classify.cvss_score import METRICS, every_vector, write_vector
from casemate.stages.classify.domain import Domain
from casemate.stages.classify.encoder import Encoder
from casemate.stages.classify.ngrams import NgramModel
from casemate.stages.classify.reading import tidy
from casemate.stages.classify.weights import open_weights

SIZES = tuple(len(values) for values in METRICS.values())
HABITS = ("nvd", "cna")
"""Who scores; the order of the n-gram model's corrections."""

ENDS = tuple(int(end) for end in np.cumsum(SIZES))


@dataclass(frozen=True, slots=True)
class Scored:
    """A base vector with its score.

    Args:
        vector: as CVSS v3.1 writes it; "" where the specialist abstains for what the text is.
        score: 0.0 to 10.0; None with an empty vector.
        probability: that exactly this vector is the one given to the vulnerability.
        abstained: whether no answer is given.
        reason: why, a kebab-case code.
    """

    vector: str
    score: float | None
    probability: float
    abstained: bool
    reason: str = ""


class VectorChoice:
    """Chooses one of all the vectors from the logits of the eight metrics."""

    def __init__(self, together: Floats, tuning: dict[str, Any]) -> None:
        places, scores = every_vector()
        starts = np.asarray([0, *ENDS[:-1]])
        self._columns = np.asarray(places) + starts
        self._places = places
        self.scores: Floats = np.asarray(scores, np.float32)
        self._together, self._tuning = together.astype(np.float32), tuning
        self._levels, self._level_of = np.unique(self.scores, return_inverse=True)
        self._distance = np.abs(self._levels[:, None] - self._levels[None, :])

    def chances(self, logits: Floats) -> Floats:
        """Return the probability of every vector, from 22 logits."""
        parts = [log_softmax(part) for part in np.split(logits * self._tuning["sharpness"], ENDS[:-1])]
        alone = np.concatenate(parts)[self._columns].sum(axis=1)
        return softmax(alone + self._tuning["together"] * self._together)

    def choose(self, chances: Floats) -> int:
        """Return the place of the likeliest vector among those of the score with the least expected distance."""
        mass = np.bincount(self._level_of, weights=chances, minlength=len(self._levels))
        level = int(np.argmin(self._distance @ mass - self._tuning["likely"] * mass))
        return int(np.argmax(np.where(self._level_of == level, chances, -1.0)))

    def vector(self, place: int) -> str:
        """Return a vector as it is written."""
        return write_vector(self._places[place])


class CvssSpecialist:
    """Proposes a CVSS v3.1 base vector for the text of a vulnerability."""

    def __init__(
        self, linear: NgramModel, encoder: Encoder | None, domain: Domain, together: Floats, tuning: dict[str, Any]
    ) -> None:
        self._linear, self._encoder, self._domain, self._tuning = linear, encoder, domain, tuning
        self._choices = {name: VectorChoice(together, tuned) for name, tuned in tuning["habits"].items()}
        self.digest: Digest = digest_value([tuning, encoder.digest if encoder else ""])

    @classmethod
    def open(cls, folder: Path | None = None, threads: int = 1) -> "CvssSpecialist":
        """Open the shipped weights, or those of a folder; `NotTrusted` where one is missing or altered."""
        own, shared = open_weights("cvss", folder), open_weights("ngrams", folder)
        tuning = json.loads(own.files["cvss.json"])
        domain = Domain(shared.arrays("domain.npz"))
        asked = any(tuned["encoder_weight"] for tuned in tuning["habits"].values())
        encoder = Encoder.open(folder, threads) if asked else None
        return cls(NgramModel.open(shared), encoder, domain, own.arrays("cvss.npz")["together"], tuning)

    def score(self, texts: Sequence[str], habit: str = "nvd") -> list[Scored]:
        """Return a vector with its score for each text, in order.

        Args:
            texts: of any size and kind.
            habit: who would score, `nvd` or the naming authorities (`cna`); they differ by more than a point.
        """
        answers: list[Scored] = []
        for text in texts:
            tidied = tidy(text)
            reason = self._domain.refuse(text, tidied)
            vector = self._linear.mean(tidied)
            reason = reason or ("no-vulnerability-text" if self._domain.outside(tidied) else "")
            answers.append(
                Scored("", None, 0.0, abstained=True, reason=reason) if reason else self._answer(tidied, vector, habit)
            )
        return answers

    def _answer(self, text: str, vector: Floats, habit: str) -> Scored:
        tuned, choice = self._tuning["habits"][habit], self._choices[habit]
        logits = tuned["linear_weight"] * self._linear.logits("cvss", vector, HABITS.index(habit))
        if self._encoder is not None:
            second = self._encoder.logits("cvss", self._encoder.embed([text]), habit)[0]
            logits = logits + tuned["encoder_weight"] * second
        chances = choice.chances(logits)
        place = choice.choose(chances)
        probability = round(interpolate(tuned["curve"], float(chances[place])), 4)
        low = probability < tuned["abstain_below"]
        return Scored(
            choice.vector(place),
            round(float(choice.scores[place]), 1),
            probability,
            abstained=low,
            reason="low-probability" if low else "",
        )

"""Which weakness (CWE) a vulnerability text describes.

    specialist = CweSpecialist.open()
    answer = specialist.rank(["SQL injection in ..."])[0]
    answer.candidates    # (("CWE-89", 0.97), ...), at most five, calibrated
    answer.abstained, answer.reason

The linear model answers first (about 0.2 ms). Where its probability is below a measured threshold the
encoder is asked too, and the answer is drawn from both. Labels are a habit: NVD and the naming
authorities (CNA) call the same bug by different names, so the caller may say whose label is wanted;
for NVD's, what is outside the view it labels with counts for the ancestors inside (`cwe_view`).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from casemate.core.digest import Digest, digest_value
from casemate.stages.classify.answer import Answer, Floats, interpolate, log_softmax, softmax
from casemate.stages.classify.cwe_view import View
from casemate.stages.classify.domain import Domain
from casemate.stages.classify.encoder import Encoder
from casemate.stages.classify.ngrams import NgramModel
from casemate.stages.classify.reading import tidy
from casemate.stages.classify.weights import open_weights

SHOWN = 5
HABITS = ("nvd", "cna")


class CweSpecialist:
    """Ranks the weaknesses that a text may describe."""

    def __init__(self, linear: NgramModel, encoder: Encoder | None, domain: Domain, tuning: dict[str, Any]) -> None:
        self._linear, self._encoder, self._domain, self._tuning = linear, encoder, domain, tuning
        self.classes: tuple[str, ...] = tuple(tuning["classes"])
        self._linear_places = np.asarray(tuning["linear_places"])
        self._encoder_places = np.asarray(tuning["encoder_places"])
        self._view = View(tuning["view"])
        self.digest: Digest = digest_value([tuning, encoder.digest if encoder else ""])

    @classmethod
    def open(cls, folder: Path | None = None, threads: int = 1) -> "CweSpecialist":
        """Open the shipped weights, or those of a folder; `NotTrusted` where one is missing or altered."""
        own = open_weights("cwe", folder)
        shared = open_weights("ngrams", folder)
        domain = Domain(shared.arrays("domain.npz"))
        tuning = json.loads(own.files["cwe.json"])
        asked = any(tuned["encoder_weight"] for tuned in tuning["habits"].values())
        encoder = Encoder.open(folder, threads) if asked else None
        return cls(NgramModel.open(shared), encoder, domain, tuning)

    def rank(self, texts: Sequence[str], habit: str | None = None) -> list[Answer]:
        """Return an answer for each text, in order.

        Args:
            texts: of any size and kind.
            habit: whose labels to give, `nvd` or `cna`; None for what serves both.
        """
        answers: list[Answer | None] = [None] * len(texts)
        unsure: list[tuple[int, str, Floats]] = []
        tuned = self._tuning["habits"][habit or self._tuning["habit"]]
        for place, text in enumerate(texts):
            tidied = tidy(text)
            reason = self._domain.refuse(text, tidied)
            if not reason:
                vector = self._linear.mean(tidied)
                reason = "no-vulnerability-text" if self._domain.outside(tidied) else ""
            if reason:
                answers[place] = Answer((), abstained=True, reason=reason)
                continue
            logits = self._first(vector, tuned)
            chances = self._seen_by(softmax(logits * tuned["linear_sharpness"]), tuned)
            if self._encoder is None or float(chances.max()) >= tuned["sure"]:
                answers[place] = self._answer(chances, tuned["linear_curve"], tuned, "linear")
            else:
                unsure.append((place, tidied, logits))
        self._ask_encoder(unsure, tuned, answers)
        return [answer for answer in answers if answer is not None]

    def _ask_encoder(
        self, unsure: list[tuple[int, str, Floats]], tuned: dict[str, Any], answers: list[Answer | None]
    ) -> None:
        if not unsure or self._encoder is None:
            return
        encoder = self._encoder
        vectors = encoder.embed([text for _, text, _ in unsure])
        second = _mixed(
            {name: encoder.logits("cwe", vectors, name)[:, self._encoder_places] for name in tuned["sources"]},
            tuned,
        )
        for (place, _, first), other in zip(unsure, second, strict=True):
            both = tuned["linear_weight"] * log_softmax(first) + tuned["encoder_weight"] * log_softmax(other)
            answers[place] = self._answer(self._seen_by(softmax(both), tuned), tuned["both_curve"], tuned, "encoder")

    def _seen_by(self, chances: Floats, tuned: dict[str, Any]) -> Floats:
        """Return the chances as the habit's authority would choose: among all weaknesses, or within its view."""
        return self._view.gather(chances) if tuned["within_view"] else chances

    def _first(self, vector: Floats, tuned: dict[str, Any]) -> Floats:
        """Return what the linear model says."""
        sources = {name: HABITS.index(name) for name in tuned["sources"]}
        logits = {name: self._linear.logits("cwe", vector, at) for name, at in sources.items()}
        return _mixed({name: value[self._linear_places] for name, value in logits.items()}, tuned)

    def _answer(self, chances: Floats, curve: list[tuple[float, float]], tuned: dict[str, Any], maker: str) -> Answer:
        """Return the five best, the probability of the first calibrated and the others scaled with the rest."""
        best = np.argsort(-chances)[:SHOWN]
        first = interpolate(curve, float(chances[best[0]]))
        rest = max(1.0 - float(chances[best[0]]), 1e-9)
        others = [min((1.0 - first) * float(chances[place]) / rest, first) for place in best[1:]]
        names = [self.classes[place] for place in best]
        candidates = tuple(zip(names, (round(value, 4) for value in (first, *others)), strict=True))
        low = first < tuned["abstain_below"]
        return Answer(candidates, abstained=low, reason="low-probability" if low else "", maker=maker)


def _mixed(by_source: dict[str, Floats], tuned: dict[str, Any]) -> Floats:
    """Return log-probabilities as the tuned mixture of labelling sources has them."""
    parts = [tuned["sources"][name] * log_softmax(logits) for name, logits in by_source.items()]
    result: Floats = log_softmax(np.sum(parts, axis=0))
    return result

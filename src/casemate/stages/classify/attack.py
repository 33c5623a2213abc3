"""Which ATT&CK techniques the sentences of a text show.

    specialist = TechniqueSpecialist.open()
    answer = specialist.read("The malware dumps LSASS memory. It then ...")
    answer.found      # (Shown("T1003.001", 0.91, 0, 31, accepted=True), ...), the likeliest first

A sparse linear model over hashed n-grams reads each sentence (about 0.3 ms). Where the shared encoder is there and the
tuning asks for it, the probabilities of both are mixed, the encoder's with its tuned share. The probability of each
candidate is calibrated by itself, so that a sentence may show several techniques or none.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import NotTrusted
from casemate.stages.classify.answer import Floats, log_softmax
from casemate.stages.classify.encoder import Encoder
from casemate.stages.classify.linear import SparseLinear
from casemate.stages.classify.reading import tidy
from casemate.stages.classify.units import Unit, refuse_unit, split_units
from casemate.stages.classify.weights import open_weights

NONE = "NONE"
SHOWN = 5
"""Candidates of a sentence."""

MOST_CHARACTERS = 200_000
MOST_UNITS = 1_500
WHOLE = 400
"""A text no longer than this is also read as one piece, for its sentences explain each other."""

ECHO = 0.2
"""What the whole says is accepted only where one of its sentences gives it this much."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A technique, how likely `text[start:end]` shows it, and whether that clears the technique's threshold."""

    id: str
    probability: float
    start: int
    end: int
    accepted: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text shows: the likeliest first, at most one entry a technique, or why nothing is said."""

    found: tuple[Shown, ...]
    reason: str = ""
    cut: bool = False

    @property
    def abstained(self) -> bool:
        """Whether no technique clears its threshold."""
        return not any(one.accepted for one in self.found)


class TechniqueSpecialist:
    """Reads techniques off sentences."""

    def __init__(self, linear: SparseLinear, tuning: dict[str, Any], encoder: Encoder | None, digest: Digest) -> None:
        self._linear, self._encoder, self._tuning, self._own = linear, encoder, tuning, digest
        self._tuned: dict[str, Any] = tuning["both" if encoder is not None else "linear"]
        self._curve = np.asarray(self._tuned["curve"], np.float64)
        self.classes: tuple[str, ...] = tuple(tuning["classes"])
        self._none = self.classes.index(NONE)
        self._least_known = float(tuning["least_known"])
        self._thresholds: dict[str, float] = self._tuned["thresholds"]
        self._threshold = float(self._tuned["threshold"])
        self.text_threshold = float(self._tuned["text_threshold"])
        self.digest: Digest = digest if encoder is None else digest_value([digest, encoder.digest])
        self._places = np.asarray(tuning["encoder_places"]) if encoder is not None else np.zeros(0, np.int64)

    @classmethod
    def open(cls, folder: Path | None = None, threads: int = 1, *, fast: bool = False) -> "TechniqueSpecialist":
        """Open the shipped weights, or those of a folder; `NotTrusted` where they are missing or altered.

        Args:
            fast: leave the encoder out, as for streams of alerts.
        """
        own = open_weights("attack", folder)
        tuning = json.loads(own.files["attack.json"])
        arrays = own.arrays("attack.npz")
        if len(tuning.get("classes", ())) != len(arrays["bias"]):
            raise NotTrusted("the weights of `attack` do not fit together", way_out="install casemate again")
        encoder = Encoder.open(folder, threads) if "both" in tuning and not fast else None
        return cls(SparseLinear.of_packed(arrays), tuning, encoder, own.digest)

    def thorough(self) -> "TechniqueSpecialist":
        """Return this specialist with the shipped encoder beside it; itself where the tuning asks for none.

        Raises `NotTrusted` where the encoder's weights are missing or altered.
        """
        if self._encoder is not None or "both" not in self._tuning:
            return self
        return TechniqueSpecialist(self._linear, self._tuning, Encoder.open(), self._own)

    def read(self, text: str, most: int = MOST_UNITS) -> Reading:
        """Return what a text of any size and kind shows; at most `most` sentences of it are read."""
        if not text.strip():
            return Reading((), "empty-text")
        head = text[:MOST_CHARACTERS]
        units = list(split_units(head, most))
        cut = len(text) > len(head) or len(units) >= most
        best: dict[str, Shown] = {}
        refused: list[str] = []
        by_sentence = self.read_units(units, refused)
        told = {one.id for one in by_sentence if one.probability >= ECHO}
        whole: list[Shown] = []
        if len(units) > 1 and len(head) <= WHOLE:
            joined = Unit(head.strip(), units[0].start, units[-1].end)
            whole = [replace(one, accepted=one.accepted and one.id in told) for one in self.read_units([joined], [])]
        for shown in (*by_sentence, *whole):
            held = best.get(shown.id)
            if held is None or (shown.accepted, shown.probability) > (held.accepted, held.probability):
                best[shown.id] = shown
        ordered = sorted(best.values(), key=lambda one: (-one.probability, one.id))
        accepted = [one for one in ordered if one.accepted]
        found = tuple(ordered[:SHOWN]) if len(accepted) <= SHOWN else tuple(accepted)
        reason = "" if accepted else refused[0] if refused and not found else "low-probability"
        return Reading(found, reason, cut)

    def read_units(self, units: Sequence[Unit], refused: list[str]) -> list[Shown]:
        """Return the candidates of each sentence that can be read; why the others cannot is added to `refused`.

        Of a single word there are guesses, none of them accepted.
        """
        asked: list[tuple[Unit, str]] = []
        for unit in units:
            tidied = tidy(unit.text)
            reason = refuse_unit(unit.text)
            if not reason and self._linear.coverage(tidied) < self._least_known:
                reason = "unknown-words"
            if reason:
                refused.append(reason)
            if reason in {"", "too-few-words"}:
                asked.append((unit, tidied))
        found: list[Shown] = []
        for (unit, _), chances in zip(asked, self.chances([text for _, text in asked]), strict=True):
            chances[self._none] = -1.0
            for place in np.argpartition(-chances, SHOWN)[:SHOWN]:
                name, chance = self.classes[place], float(chances[place])
                bar = self._thresholds.get(name, self._threshold)
                enough = chance >= bar and len(unit.text.split()) > 1
                found.append(Shown(name, round(chance, 4), unit.start, unit.end, enough))
        return found

    def chances(self, texts: Sequence[str]) -> Floats:
        """Return the calibrated probability of each class for each tidied text, shape (n, classes)."""
        if not texts:
            return np.zeros((0, len(self.classes)), np.float32)
        logits = self.scores(texts)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        plain = raised / raised.sum(axis=1, keepdims=True)
        return np.asarray(np.interp(plain, self._curve[:, 0], self._curve[:, 1]), np.float32)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Return the logarithm of each class before calibration, linear and encoder mixed as tuned."""
        first = log_softmax(np.stack([self._linear.logits(text) for text in texts]))
        if self._encoder is None:
            return first
        second = log_softmax(self._encoder.logits("techniques", self._encoder.embed(list(texts))))
        return mix(first, spread(second, self._places), float(self._tuned["encoder_share"]))


def mix(first: Floats, second: Floats, share: float) -> Floats:
    """Return the logarithms of two models' probabilities mixed, the second with this share.

    A sum of probabilities and not of logarithms: a model that knows nothing of a kind of text must not veto the other.
    """
    mixed: Floats = np.log((1 - share) * np.exp(first) + share * np.exp(second) + np.float32(1e-9))
    return mixed


def spread(logits: Floats, places: Any) -> Floats:
    """Return the encoder's logarithms in the order of our classes; a class that it lacks gets its least."""
    least = logits.min(axis=1, keepdims=True)
    result: Floats = np.where(places >= 0, logits[:, np.maximum(places, 0)], least)
    return result


def parent_of(technique: str) -> str:
    """Return the technique of a sub-technique's id."""
    return technique.partition(".")[0]

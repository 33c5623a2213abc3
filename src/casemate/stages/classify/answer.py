"""What a specialist answers, and small arithmetic that every specialist needs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Answer:
    """Candidates with their probabilities, the best first, at most five.

    Args:
        candidates: (id, probability 0..1); empty where the text is nothing the specialist knows.
        abstained: whether no answer is given; candidates may still be shown as guesses.
        reason: why it abstained, a kebab-case code; "" where it did not.
        maker: which model answered, `linear` or `encoder`; "" where none was asked.
    """

    candidates: tuple[tuple[str, float], ...]
    abstained: bool
    reason: str = ""
    maker: str = ""


def softmax(logits: Floats) -> Floats:
    """Return probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return result


def log_softmax(logits: Floats) -> Floats:
    """Return logarithms of probabilities along the last axis."""
    moved = logits - logits.max(axis=-1, keepdims=True)
    result: Floats = moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True))
    return result


def interpolate(points: list[tuple[float, float]], value: float) -> float:
    """Return a calibrated probability: the value on the line through the points (sorted by their first number)."""
    xs, ys = zip(*points, strict=True)
    return float(np.interp(value, xs, ys))

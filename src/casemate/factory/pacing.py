"""The pace of a fine-tune: how far it is, how fast, when it will end, and the learning rate that belongs to that."""

import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

TELL_EVERY = 5.0  # seconds between two lines of progress


def rate_at(share: float, warmup: float) -> float:
    """Return the factor of the learning rate after a share of the run: rising in the warm-up, then a cosine to zero."""
    if share < warmup:
        return max(share / warmup, 0.02)
    rest = (share - warmup) / max(1 - warmup, 1e-9)
    return max(0.5 * (1 + math.cos(math.pi * min(rest, 1.0))), 0.0)


class Pace:
    """Counts steps, tokens and seconds of a run, over all the times it was resumed.

    `steps` is where the run ends, and `seconds` above 0 where it ends if that is earlier. `share` is how much of it is
    over, 0 .. 1, by whichever is nearer to its end.
    """

    def __init__(
        self,
        file: Path,
        steps: int,
        seconds: float,
        *,
        resume: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps, self.seconds = steps, seconds
        self._file, self._clock = file, clock
        self._held: dict[str, Any] = {"steps": 0, "tokens": 0, "elapsed": 0.0, "losses": [], "peak_rate": 0.0}
        if resume and file.exists():
            self._held = json.loads(file.read_text("utf-8"))
        self._began, self._losses, self._told = clock(), [0.0, 0], -math.inf
        self.step_number: int = self._held["steps"]
        self.tokens: int = self._held["tokens"]

    def start(self) -> None:
        """Begin to count: what was loaded before does not count."""
        self._began = self._clock()

    @property
    def elapsed(self) -> float:
        """Seconds of training so far."""
        return float(self._held["elapsed"]) + self._clock() - self._began

    def share(self) -> float:
        """Tell how much of the run is over."""
        by_time = self.elapsed / self.seconds if self.seconds else 0.0
        return min(max(self.step_number / self.steps, by_time), 1.0)

    def over(self) -> bool:
        """Tell whether the run has come to its end."""
        return self.share() >= 1.0

    def see(self, tokens: int, loss: float) -> None:
        """Count one batch."""
        self.tokens += tokens
        self._losses = [self._losses[0] + loss, self._losses[1] + 1]

    def step(self, rate: float = 0.0) -> None:
        """Count one step, made at this learning rate, and tell how far it is."""
        self.step_number += 1
        self._held["peak_rate"] = max(self._held["peak_rate"], rate)
        now = self._clock()
        if now - self._told < TELL_EVERY and not self.over():
            return
        self._told = now
        loss = self._losses[0] / self._losses[1] if self._losses[1] else 0.0
        self._held["losses"].append([self.step_number, round(loss, 4)])
        self._losses = [0.0, 0]
        share, spent = self.share(), self.elapsed
        left = spent / share - spent if share else 0.0
        log.info(
            "step %d of at most %d, loss %.3f, rate %.1e, %.0f tokens a second, %d:%02d left",
            self.step_number, self.steps, loss, rate, self.tokens / spent if spent else 0.0, left // 60, left % 60,
        )  # fmt: skip

    def save(self) -> None:
        """Keep the counts beside the checkpoint that was just written."""
        self._file.write_text(json.dumps(self.told() | {"elapsed": self.elapsed}) + "\n", "utf-8")

    def told(self) -> dict[str, Any]:
        """Give what was counted."""
        spent = self.elapsed
        return {
            "steps": self.step_number,
            "tokens": self.tokens,
            "seconds": round(spent, 1),
            "tokens_per_second": round(self.tokens / spent, 1) if spent else 0.0,
            "peak_rate": self._held["peak_rate"],
            "losses": self._held["losses"],
        }

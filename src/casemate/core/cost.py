"""What asking a language model took."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens, seconds, memory and energy of some requests; costs add up.

    `seconds` are those of the engine: what ran at the same time is shared out, so that sums are true. `peak_bytes` is
    the most memory of the engine at any time. `joules` is None where the machine does not tell, and in every sum with
    such a part.
    """

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    joules: float | None = None

    @property
    def tokens(self) -> int:
        """Tokens read and written, the cached ones too: what a runaway is measured by."""
        return self.prompt_tokens + self.generated_tokens

    def __add__(self, other: "Cost") -> "Cost":
        """Add the cost of other requests."""
        if not (self.requests and other.requests):
            return self if self.requests else other
        known = self.joules is not None and other.joules is not None
        return Cost(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.generated_tokens + other.generated_tokens,
            self.seconds + other.seconds,
            max(self.peak_bytes, other.peak_bytes),
            (self.joules or 0.0) + (other.joules or 0.0) if known else None,
        )

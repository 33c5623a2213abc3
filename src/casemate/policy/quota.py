"""How much a language model may be used, and what its use is set beside: quotas and prices."""

import math
from dataclasses import dataclass

from casemate.core.cost import Cost


@dataclass(frozen=True, slots=True)
class Quota:
    """Tokens read and written, and seconds of the engine; 0 stands for no limit.

    The request that crosses a limit is the last one; a day is a UTC day.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    tokens_per_case: int = 200_000
    seconds_per_case: float = 3_600.0
    tokens_per_day: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a model would cost somewhere: per million tokens read and written, or per hour of a machine."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    name: str
    prompt_million: float = 0.0
    generated_million: float = 0.0
    machine_hour: float = 0.0
    currency: str = "USD"

    def of(self, cost: Cost) -> float:
        """Give what this use would have cost: every prompt token counts, cached or not."""
        tokens = cost.prompt_tokens * self.prompt_million + cost.generated_tokens * self.generated_million
        return tokens / 1e6 + cost.seconds / 3600 * self.machine_hour


def fault_of(quota: Quota, prices: tuple[Price, ...]) -> str:
    """Tell what makes no sense in quotas and prices, empty when nothing does."""
    for name in ("tokens_per_case", "seconds_per_case", "tokens_per_day"):
        value = getattr(quota, name)
        if not (math.isfinite(value) and value >= 0):
            return f"quota.{name} must be 0 (no limit) or more"
    names = [price.name for price in prices]
    if len(set(names)) != len(names) or not all(name.strip() for name in names):
        return "prices: each needs a name of its own"
    for price in prices:
        amounts = (price.prompt_million, price.generated_million, price.machine_hour)
        if not all(math.isfinite(amount) and amount >= 0 for amount in amounts):
            return f"prices: {price.name!r}: amounts are 0 or more"
    return ""

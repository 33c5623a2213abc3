"""How the minutes that proposals save are measured: a sample of cases is shown without them."""

import math
from dataclasses import dataclass

MOST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Baseline:
    """Which share of the service's cases is shown without proposals until decided; 0, the default, measures nothing.

    Cases that triage would show at priority `spare_priority` or more urgent are never part of it: 1 spares what should
    be looked at now, 0 spares nothing. The board tells no result below `least_cases` timed cases on either side.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    share: float = 0.0
    spare_priority: int = 1
    least_cases: int = 20


def fault_of_baseline(baseline: Baseline) -> str:
    """Tell what makes no sense in a baseline, empty when nothing does."""
    if not (math.isfinite(baseline.share) and 0 <= baseline.share <= MOST_SHARE):
        return f"baseline.share is between 0 and {MOST_SHARE}"
    if not 0 <= baseline.spare_priority <= 5:
        return "baseline.spare_priority is between 0 and 5"
    return "" if baseline.least_cases >= 5 else "baseline.least_cases is 5 or more"

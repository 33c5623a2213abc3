"""The arithmetic of the board: shares and medians with intervals, and one test each for what looks like a change.

Small samples are the rule on a board, so nothing here leans on the normal curve where an exact way is cheap: Wilson's
interval for a share (Wilson 1927), Fisher's exact test for two shares (Fisher 1935) with Holm's correction for asking
about several makers at once (Holm 1979), and for two sets of times the Hodges-Lehmann shift with the interval that
belongs to the Mann-Whitney test (Hodges and Lehmann 1963; Lehmann 1975, section 2.6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb, sqrt
from statistics import NormalDist, median

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def share_of(agreed: int, judged: int) -> Interval:
    """Estimate a share with Wilson's interval; `judged` is at least 1."""
    share = agreed / judged
    width = 1 + _Z**2 / judged
    middle = (share + _Z**2 / (2 * judged)) / width
    half = _Z / width * sqrt(share * (1 - share) / judged + _Z**2 / (4 * judged**2))
    # The ends are exact where the share is: rounding must not put them on the other side of it.
    return Interval(share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share))


def chance_of_same(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Give the two-sided p of Fisher's exact test that two (agreed, judged) have one share.

    Tables as unlikely as the one seen, or more, count; whole numbers are compared, so that no rounding decides.
    """
    agreed = first[0] + second[0]
    whole = first[1] + second[1]
    least, most = max(0, agreed - second[1]), min(agreed, first[1])
    ways = {made: comb(first[1], made) * comb(second[1], agreed - made) for made in range(least, most + 1)}
    seen = ways[first[0]]
    return sum(count for count in ways.values() if count <= seen) / comb(whole, agreed)


def holm(chances: Sequence[float]) -> list[float]:
    """Correct p values for being several."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    corrected = [1.0] * len(chances)
    reached = 0.0
    for rank, place in enumerate(order):
        reached = max(reached, min(chances[place] * (len(chances) - rank), 1.0))
        corrected[place] = reached
    return corrected


def nearest_rank(values: Sequence[float], share: float) -> float | None:
    """Give the value that `share` (0..1) of the values do not exceed; None when there are none."""
    ordered = sorted(values)
    return ordered[max(ceil(share * len(ordered)), 1) - 1] if ordered else None


def middle(values: Sequence[float]) -> float | None:
    """Give the median; None when there are no values."""
    return median(values) if values else None


def shift_between(without: Sequence[float], with_them: Sequence[float]) -> Interval:
    """Estimate by how much the values of the first set are larger: the Hodges-Lehmann shift and its interval.

    The interval's ends are ordered differences, found by the normal approximation of the Mann-Whitney count; for fewer
    than five values a side it is as wide as the differences are.
    """
    differences = sorted(one - other for one in without for other in with_them)
    pairs = len(differences)
    spread = sqrt(pairs * (len(without) + len(with_them) + 1) / 12)
    cut = round(pairs / 2 - _Z * spread)
    if min(len(without), len(with_them)) < 5 or cut < 1:
        return Interval(median(differences), differences[0], differences[-1])
    return Interval(median(differences), differences[cut - 1], differences[pairs - cut])

"""MinHash: estimate how near two texts are, and find near-duplicates among many without comparing each pair.

Broder 1997, "On the resemblance and containment of documents". A text is the set of its word triples; the share of
equal places of two signatures estimates the Jaccard index of the sets (standard error 0.09 at 0.5 with 32 places; 64
are used here). Signatures are cut into bands, and only texts that share a band are compared.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from casemate.factory.rows import fold

Signature = NDArray[np.uint64]

PLACES, BANDS = 64, 16
_DRAWS = np.random.default_rng(20)
_FACTORS = _DRAWS.integers(0, 1 << 63, PLACES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS = _DRAWS.integers(0, 1 << 63, PLACES, dtype=np.uint64)


def shingles(text: str) -> frozenset[str]:
    """Return the word triples of the folded text; of a text of one or two words, the text."""
    words = fold(text).split()
    if len(words) < 3:
        return frozenset([" ".join(words)]) if words else frozenset()
    return frozenset(" ".join(words[at : at + 3]) for at in range(len(words) - 2))


def signature(parts: Iterable[str]) -> Signature:
    """Return the 64 smallest hashes of a set; of an empty set, all ones."""
    hashes = [int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest()) for part in parts]
    if not hashes:
        return np.full(PLACES, np.iinfo(np.uint64).max, dtype=np.uint64)
    # multiplication by an odd number wraps around at 2**64, which is what spreads the hashes anew for each place
    spread: Signature = np.multiply.outer(np.array(hashes, dtype=np.uint64), _FACTORS) + _SHIFTS
    lowest: Signature = spread.min(axis=0)
    return lowest


def nearness(one: Signature, other: Signature) -> float:
    """Estimate the Jaccard index of two sets from their signatures."""
    return float((one == other).mean())


class NearIndex:
    """Signatures by their bands: `nearest` finds the nearest of those that share a band with a text."""

    def __init__(self) -> None:
        self._bands: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        self._held: list[tuple[str, Signature]] = []

    def add(self, name: str, mark: Signature) -> None:
        """Hold a signature under a name."""
        place = len(self._held)
        self._held.append((name, mark))
        for band in self._cut(mark):
            self._bands[band].append(place)

    def nearest(self, mark: Signature) -> tuple[str, float]:
        """Return the name and the nearness of the nearest one held; an empty name and 0 where no band is shared."""
        places = {place for band in self._cut(mark) for place in self._bands.get(band, ())}
        found = max(((nearness(mark, self._held[place][1]), place) for place in places), default=None)
        return ("", 0.0) if found is None else (self._held[found[1]][0], found[0])

    @staticmethod
    def _cut(mark: Signature) -> Iterable[tuple[int, bytes]]:
        return ((number, part.tobytes()) for number, part in enumerate(np.split(mark, BANDS)))

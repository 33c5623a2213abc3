"""The CVSS v3.1 base score of a vector, and of every vector there is.

Source: FIRST, "Common Vulnerability Scoring System v3.1: Specification Document", sections 7.1 and 7.4 and appendix A.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

METRICS = {"AV": "NALP", "AC": "LH", "PR": "NLH", "UI": "NR", "S": "UC", "C": "NLH", "I": "NLH", "A": "NLH"}
"""The base metrics in the order of the vector, and the values each may take."""

_ATTACK = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_COMPLEXITY = {"L": 0.77, "H": 0.44}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_INTERACTION = {"N": 0.85, "R": 0.62}
_IMPACT = {"N": 0.0, "L": 0.22, "H": 0.56}


def parse_vector(vector: str) -> dict[str, str] | None:
    """Return the base metrics of a CVSS v3 vector, or None where one is missing, twice there or unknown."""
    values: dict[str, str] = {}
    for part in vector.strip().strip("()").split("/"):
        name, _, value = part.partition(":")
        if name in METRICS:
            if name in values or value not in METRICS[name] or len(value) != 1:
                return None
            values[name] = value
    return values if len(values) == len(METRICS) else None


def write_vector(values: Sequence[int]) -> str:
    """Return the vector of eight places in `METRICS`."""
    parts = (f"{name}:{METRICS[name][place]}" for name, place in zip(METRICS, values, strict=True))
    return "CVSS:3.1/" + "/".join(parts)


def base_score(values: dict[str, str]) -> float:
    """Return the base score, 0.0 to 10.0, of the eight base metrics."""
    missing = 1 - (1 - _IMPACT[values["C"]]) * (1 - _IMPACT[values["I"]]) * (1 - _IMPACT[values["A"]])
    changed = values["S"] == "C"
    impact = 7.52 * (missing - 0.029) - 3.25 * (missing - 0.02) ** 15 if changed else 6.42 * missing
    if impact <= 0:
        return 0.0
    access = _ATTACK[values["AV"]] * _COMPLEXITY[values["AC"]]
    exploitability = 8.22 * access * _PRIVILEGES[values["S"]][values["PR"]] * _INTERACTION[values["UI"]]
    total = impact + exploitability
    return _round_up(min(1.08 * total if changed else total, 10.0))


def _round_up(value: float) -> float:
    """Return the smallest number with one decimal that is not below; counted in whole numbers as appendix A has it."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10


@lru_cache(maxsize=1)
def every_vector() -> tuple[tuple[tuple[int, ...], ...], tuple[float, ...]]:
    """Return every combination of the base metrics (places in `METRICS`, 2,592 of them) and its score."""
    places = tuple(product(*(range(len(values)) for values in METRICS.values())))
    named = ({name: METRICS[name][at] for name, at in zip(METRICS, one, strict=True)} for one in places)
    return places, tuple(base_score(one) for one in named)

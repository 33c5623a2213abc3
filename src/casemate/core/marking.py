"""TLP 2.0 markings and which of two is stricter (FIRST, Traffic Light Protocol 2.0, August 2022)."""

from collections.abc import Iterable
from enum import StrEnum


class Marking(StrEnum):
    """A TLP 2.0 label; the order of the members is from the freest to the strictest."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def label(self) -> str:
        """The label as TLP 2.0 writes it, such as `TLP:AMBER+STRICT`."""
        return f"TLP:{self.value.upper()}"


def strictest(markings: Iterable[Marking]) -> Marking:
    """Choose the marking that what is made from all of these must carry; `TLP:AMBER` for none at all."""
    order = list(Marking)
    return max(markings, key=order.index, default=Marking.AMBER)

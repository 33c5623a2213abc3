"""Sightings to an inventory: each distinct observable once, with its count and its first places, in bounded memory."""

from collections.abc import Iterable
from dataclasses import dataclass

from casemate.core.observable import Sighting


@dataclass(slots=True)
class Item:
    """One distinct observable: its first sighting, how often it was seen, the (part, start, end) of the first few."""

    first: Sighting
    count: int
    records: list[tuple[int, int, int]]


class Inventory:
    """Counts sightings as they stream by; at most `limit` observables, `overflow` counts sightings of later ones."""

    def __init__(self, limit: int, places: int) -> None:
        self._limit = limit
        self._places = places
        self._items: dict[tuple[str, str, str], Item] = {}
        self.overflow = 0

    def see(self, part: int, sightings: Iterable[Sighting]) -> None:
        """Count the sightings of one part."""
        items = self._items
        for sighting in sightings:
            key = (sighting.type, sighting.value, sighting.hash)
            held = items.get(key)
            if held is None:
                if len(items) >= self._limit:
                    self.overflow += 1
                    continue
                held = items[key] = Item(sighting, 0, [])
            held.count += 1
            if len(held.records) < self._places:
                held.records.append((part, sighting.start, sighting.end))

    def items(self) -> tuple[Item, ...]:
        """Give the observables in the order they were first seen."""
        return tuple(self._items.values())

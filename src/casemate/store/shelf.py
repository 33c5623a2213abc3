"""Cases that were just looked at, decoded: a person who reads one asks for many parts of it."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from casemate.core.case import Case, TimelineEntry
from casemate.core.observable import Observable
from casemate.store.codec import case_from_json
from casemate.store.packing import unpack

KEPT = 8
KEPT_BYTES = 64 * 1024 * 1024  # of JSON


@dataclass(frozen=True, slots=True)
class Decoded:
    """A case without its observables and timeline, and those as plain values, to be made when they are asked for."""

    case: Case
    observables: list[dict[str, Any]]
    timeline: list[dict[str, Any]]
    size: int


@cache
def _observables() -> TypeAdapter[tuple[Observable, ...]]:
    return TypeAdapter(tuple[Observable, ...])


@cache
def _timeline() -> TypeAdapter[tuple[TimelineEntry, ...]]:
    return TypeAdapter(tuple[TimelineEntry, ...])


def make_observables(plain: list[dict[str, Any]]) -> tuple[Observable, ...]:
    """Make observables of plain values."""
    return _observables().validate_json(orjson.dumps(plain))


def make_timeline(plain: list[dict[str, Any]]) -> tuple[TimelineEntry, ...]:
    """Make timeline entries of plain values."""
    return _timeline().validate_json(orjson.dumps(plain))


class Shelf:
    """The last few decoded cases, by the digest of their JSON; safe for several threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Decoded] = OrderedDict()
        self._lock = threading.Lock()

    def decoded(self, digest: str, packed: bytes, what: str) -> Decoded:
        """Give a decoded case, made of its column unless it was just looked at."""
        with self._lock:
            known = self._held.get(digest)
            if known is not None:
                self._held.move_to_end(digest)
                return known
        data = unpack(packed, what)
        plain = orjson.loads(data)
        observables, timeline = plain["observables"], plain["timeline"]
        plain["observables"] = plain["timeline"] = []
        made = Decoded(case_from_json(orjson.dumps(plain)), observables, timeline, len(data))
        with self._lock:
            self._held[digest] = made
            while len(self._held) > KEPT or sum(one.size for one in self._held.values()) > KEPT_BYTES:
                self._held.popitem(last=False)
        return made

    def whole(self, decoded: Decoded) -> Case:
        """Give the whole case."""
        observables, timeline = make_observables(decoded.observables), make_timeline(decoded.timeline)
        return replace(decoded.case, observables=observables, timeline=timeline)

"""A store in a file, and feeds into it that remember what they told."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from casemate.connectors.feed import Feed
from casemate.core.marking import Marking
from casemate.policy import Limits
from casemate.store import Store, owner_name


@dataclass
class Taken:
    """What is in the store: (source, bytes) of every alert, in order."""

    store: Store
    told: list[tuple[str, str, str]] = field(default_factory=list)

    def alerts(self) -> list[tuple[str, bytes]]:
        """Take every job, and look at what its group holds."""
        found = []
        while taken := self.store.queue().take(owner_name("test")):
            job, _lease = taken
            found += [(source, data) for source, data, _separate in self.store.queue().evidence(job)]
        return found

    def codes(self) -> list[str]:
        return [code for _name, code, _sentence in self.told]


@pytest.fixture
def limits() -> Limits:
    return Limits(group_alerts=100_000, job_attempts=100)


@pytest.fixture
def store(tmp_path: Path, limits: Limits) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/home/casemate.sqlite", limits=limits) as opened:
        yield opened


@pytest.fixture
def taken(store: Store) -> Taken:
    return Taken(store)


@pytest.fixture
def make_feed(store: Store, taken: Taken, limits: Limits) -> Callable[..., Feed]:
    def made(name: str = "test", *, bounds: Limits = limits, patient: bool = False) -> Feed:
        def tell(*what: str) -> None:
            taken.told.append(what)  # type: ignore[arg-type]  # three words each

        return Feed(name, Marking.GREEN, store, bounds, threading.Event(), tell, patient)

    return made

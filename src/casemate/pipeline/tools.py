"""What the path works with: everything it needs from outside is handed in here, so that tests can hand in their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Protocol

from casemate.core.observable import Sighting
from casemate.core.passage import Names, Passage, Release
from casemate.pipeline.defences import Defences
from casemate.pipeline.specialists import Specialists
from casemate.policy import Policy
from casemate.stages.generate import Model


class Reference(Names, Protocol):
    """The knowledge, as far as the path asks it."""

    def releases(self) -> tuple[Release, ...]:
        """Give the imported releases."""
        ...

    def search(self, query: str, kinds: Sequence[str] = (), limit: int = 10) -> tuple[Passage, ...]:
        """Find passages by their words."""
        ...

    def flags(self, kind: str, value: str, /) -> tuple[str, ...]:
        """Name the warning lists and ranges a value stands in."""
        ...


class Scan(Protocol):
    """The observable scanner."""

    def scan(self, text: str, start: int, /) -> Sequence[Sighting]:
        """Find the observables of a text whose first character has the offset `start`."""
        ...


def utc_now() -> datetime:
    """Tell the time, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the path is handed: policy, knowledge, scanner, language model if one is used, specialists, clock, defences.

    The defences are all on; only a measurement hands in others.
    """

    policy: Policy
    knowledge: Reference
    scanner: Scan
    model: Model | None = None
    specialists: Specialists = field(default_factory=Specialists)
    clock: Callable[[], datetime] = utc_now
    defences: Defences = field(default_factory=Defences)

    def flags(self, kind: str, value: str) -> tuple[str, ...]:
        """Name the warning lists a value stands in, and `own` when the policy says it is the reader's own."""
        flags = self.knowledge.flags(kind, value)
        return (*flags, "own") if self._is_own(kind, value) else flags

    def _is_own(self, kind: str, value: str) -> bool:
        if kind in {"ipv4-addr", "ipv6-addr"} and self.policy.own_networks:
            try:
                address = ip_address(value.partition("/")[0])
            except ValueError:
                return False
            return any(address in ip_network(network, strict=False) for network in self.policy.own_networks)
        if kind == "domain-name":
            return any(value == own or value.endswith("." + own) for own in self.policy.own_domains)
        return False

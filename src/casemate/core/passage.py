"""Passages: reference text we hold, and the release each came from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from casemate.core.digest import Digest


@dataclass(frozen=True, slots=True)
class Release:
    """One imported edition of one source, such as ATT&CK Enterprise 18.1.

    `digest` is the SHA-256 of what was imported; `notice` the copyright line that must stand where its text is shown.
    """

    name: str
    version: str
    digest: Digest
    imported: datetime
    entries: int
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing the knowledge knows: a technique, weakness, attack pattern, vulnerability, actor, malware, tool, ...

    `id` is the public one where there is one (`T1059.001`, `CWE-79`, `CAPEC-66`, `CVE-2021-44228`, `G0007`, `S0154`),
    else the source's UUID. `kind` is one of `knowledge.KINDS`. `names` are the aliases, canonical name first. `state`
    is empty, `revoked` or `deprecated`, and `successor` the id to use instead. `facts` are (name, value) pairs such
    as (`kev-date-added`, `2021-12-10`) or (`tactic`, `execution`); `links` are (relation, id) pairs such as (`uses`,
    `T1059`).
    """

    id: str
    kind: str
    names: tuple[str, ...]
    text: str
    release: Digest
    state: str = ""
    successor: str = ""
    url: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The canonical name."""
        return self.names[0] if self.names else self.id

    def fact(self, name: str) -> str:
        """Return the first value of a fact, empty when there is none."""
        return next((value for key, value in self.facts if key == name), "")


@dataclass(frozen=True, slots=True)
class Passage:
    """A quotable piece of the knowledge: which entry, which release, the words, and how it came up.

    `score` is BM25 (higher is better) for a search, 1.0 for an exact look-up. `facts` are those of the entry that a
    reader of the case needs, such as (`tactic`, `execution`).
    """

    id: str
    kind: str
    title: str
    quote: str
    release: Digest
    score: float = 1.0
    facts: tuple[tuple[str, str], ...] = ()


class NamedPlace(Protocol):
    """A name that stands in a text and everything it may mean."""

    @property
    def start(self) -> int: ...  # noqa: D102 - described by the class
    @property
    def end(self) -> int: ...  # noqa: D102 - described by the class
    @property
    def text(self) -> str: ...  # noqa: D102 - described by the class
    @property
    def entries(self) -> Sequence[Entry]: ...  # noqa: D102 - described by the class


class Names(Protocol):
    """The names that the knowledge knows."""

    def entry(self, identifier: str, /) -> Entry | None:
        """Give the entry with this public id."""
        ...

    def names_in(self, text: str, /) -> Iterator[NamedPlace]:
        """Find the names of actors, malware, tools and techniques in a text."""
        ...

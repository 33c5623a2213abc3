"""Read the index: look up by id and name, search, flag, and find names in text."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted
from casemate.core.passage import Entry, Passage, Release
from casemate.knowledge import queries
from casemate.knowledge.flags import Flags, load_flags
from casemate.knowledge.folding import fold_name
from casemate.knowledge.grouping import group_entries
from casemate.knowledge.kinds import KINDS, NAMED_KINDS
from casemate.knowledge.names import NameFinder, NameMatch
from casemate.knowledge.piece_index import PieceIndex, names_of
from casemate.knowledge.seal import WAY_OUT, check_seal
from casemate.knowledge.search import match_expression, quote_of

SEARCHED_KINDS = tuple(kind for kind in KINDS if kind != "procedure")
_MOST_SUCCESSORS = 8
_MOST_CACHED = 20_000
_LONGEST_ID = 200


class Knowledge:
    """The local reference index, read only; one object may be shared by threads. Close it, or use it in a `with`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, digest: Digest) -> None:
        self.path = path
        self.digest = digest
        self._connection = connection
        self._lock = threading.Lock()
        self._named: dict[str, tuple[Entry, ...]] = {}

    @classmethod
    def open(cls, path: Path) -> "Knowledge":
        """Open the index at `path`; `NotTrusted` when it is missing, altered, no index or of another schema."""
        digest = check_seal(path)
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
            application = connection.execute(queries.GET_APPLICATION).fetchone()[0]
            version = connection.execute(queries.GET_VERSION).fetchone()[0]
        except sqlite3.Error as error:
            raise NotTrusted(f"knowledge index {path}: {error}", way_out=WAY_OUT) from error
        if (application, version) != (queries.APPLICATION_ID, queries.SCHEMA_VERSION):
            connection.close()
            raise NotTrusted(
                f"knowledge index {path}: schema {version}, this program reads {queries.SCHEMA_VERSION}",
                way_out=WAY_OUT,
            )
        return cls(connection, path, digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with self._lock:
            try:
                return self._connection.execute(statement, tuple(values)).fetchall()
            except sqlite3.DatabaseError as error:
                raise NotTrusted(f"knowledge index {self.path}: {error}", way_out=WAY_OUT) from error

    def sources(self) -> dict[str, Release]:
        """Return the releases by the key of their source, the one that `forget` takes."""
        return {
            str(source): Release(
                str(name),
                str(version),
                Digest(str(digest)),
                datetime.fromisoformat(str(imported)),
                int(str(entries)),
                str(notice),
            )
            for _, source, name, version, digest, imported, entries, notice in self._rows(queries.LIST_RELEASES)
        }

    def releases(self) -> tuple[Release, ...]:
        """Return every imported edition, the most authoritative first."""
        return tuple(self.sources().values())

    def release_of(self, source: str) -> Release:
        """Return the release of a source that is known to be there."""
        return self.sources()[source]

    def entry(self, id_: str) -> Entry | None:
        """Look up an entry by its public id, in any case, or by its UUID; None when unknown.

        A withdrawn entry is returned with its `state` and `successor`. Facts and links of editions of equal standing
        (the three ATT&CK domains; KEV, NVD, CVE and EPSS) are joined; words, names and digest are those of the first.
        """
        id_ = id_.strip()
        if not id_ or len(id_) > _LONGEST_ID or not _storable(id_):
            return None
        rows = self._rows(queries.ENTRIES_BY_ID, [id_])
        notes = self._rows(queries.NOTES_BY_ID, [id_])
        if not rows and not notes:
            other = self._rows(queries.ID_BY_UUID, [id_.lower().rpartition("--")[2]])
            return self.entry(str(other[0][0])) if other else None
        if not rows:
            return Entry(id_.upper(), "vulnerability", (), "", Digest(str(notes[0][1])), facts=_facts(notes))
        first = _entry(rows[0])
        peers = [_entry(row) for row in rows if int(str(row[11])) // 10 == int(str(rows[0][11])) // 10]
        facts = dict.fromkeys((*(fact for peer in peers for fact in peer.facts), *_facts(notes)))
        links = dict.fromkeys(link for peer in peers for link in peer.links)
        names = dict.fromkeys(name for peer in peers for name in peer.names)
        return Entry(
            first.id, first.kind, tuple(names), first.text or next((peer.text for peer in peers if peer.text), ""),
            first.release, first.state, first.successor, first.url, tuple(facts), tuple(links),
        )  # fmt: skip

    def resolve(self, id_: str) -> tuple[Entry, ...]:
        """Follow an entry to what replaced it: the entry itself, its successor, and so on; empty when unknown."""
        chain: list[Entry] = []
        entry = self.entry(id_)
        while entry and entry.id not in {known.id for known in chain} and len(chain) < _MOST_SUCCESSORS:
            chain.append(entry)
            entry = self.entry(entry.successor) if entry.successor else None
        return tuple(chain)

    def exploited(self, cve: str) -> bool:
        """Tell whether a CVE is in CISA's catalogue of known exploited vulnerabilities."""
        entry = self.entry(cve)
        return entry is not None and bool(entry.fact("kev-date-added"))

    def named(self, name: str) -> tuple[Entry, ...]:
        """Return all entries that bear this name or alias; several are several candidates, none is picked.

        Case, white space and hyphens do not matter. Entries in force come before withdrawn ones of the same release.
        """
        folded = fold_name(name)
        if not _storable(folded):
            return ()
        known = self._named.get(folded)
        if known is None:
            known = tuple(_entry(row) for row in self._rows(queries.ENTRIES_BY_NAME, [folded]))
            if len(self._named) < _MOST_CACHED:
                self._named[folded] = known
        return known

    def candidates(self, name: str) -> tuple[tuple[Entry, ...], ...]:
        """Return what a name may mean: one group for each actor, malware, ... that bears it, whatever the sources.

        Entries of different sources are taken for the same thing when one links to the other or their canonical names
        are equal; two entries of one source never are. More than one group: the name is ambiguous, and none is picked.
        """
        return group_entries(self.named(name))

    def passage(self, entry: Entry, about: str = "") -> Passage:
        """Make the passage of an entry that was looked up: its words about `about`, or its first ones."""
        _, words = match_expression(about)
        return Passage(entry.id, entry.kind, entry.name, quote_of(entry.text, words), entry.release, 1.0, entry.facts)

    def names_in(self, text: str) -> Iterator[NameMatch]:
        """Yield the names of actors, campaigns, malware, tools and techniques in free text, in order, not overlapping.

        A match selects `text[start:end]` and holds every entry of these kinds with that name. Names that are ordinary
        words count only where the words around them say that an attacker or a program is meant (see names.py).
        """
        for start, end, folded in self._finder.find(text):
            entries = tuple(entry for entry in self.named(folded) if entry.kind in NAMED_KINDS)
            if entries:
                yield NameMatch(start, end, text[start:end], entries)

    @cached_property
    def _finder(self) -> NameFinder:
        rows = self._rows(queries.GET_READY_NAMES)
        return NameFinder(bytes(rows[0][0]) if rows and isinstance(rows[0][0], bytes) else b"{}")

    def search(self, query: str, kinds: Sequence[str] = (), limit: int = 10) -> tuple[Passage, ...]:
        """Find the passages that answer a query best, by BM25 over title, names and text (SQLite FTS5).

        The query is words, never syntax: any text may be given. `kinds` narrows to some of `KINDS`; without it all but
        procedures are searched, for there are ten of them to every definition. `score` is higher for better passages
        and compares only within one answer.
        """
        expression, terms = match_expression(query)
        if not expression or limit < 1:
            return ()
        wanted = kinds or SEARCHED_KINDS
        rows = self._rows(queries.search_in(len(wanted)), [expression, *wanted, limit])
        return tuple(
            Passage(
                id=str(id_),
                kind=str(kind),
                title=next(iter(json.loads(str(names))), str(id_)),
                quote=quote_of(str(text), terms),
                release=Digest(str(digest)),
                score=float(str(score)),
                facts=tuple((name, value) for name, value in json.loads(str(facts))),
            )
            for _, id_, kind, names, text, digest, facts, score in rows
        )

    def aliases(self, kinds: Sequence[str]) -> Iterator[str]:
        """Yield every name of the entries of some kinds, as written."""
        for (name,) in self._rows(names_of(len(kinds)), list(kinds)):
            yield str(name)

    @cached_property
    def pieces(self) -> PieceIndex:
        """The passages of paragraph size and the index over their terms, for ranking."""
        return PieceIndex(self._rows)

    def flags(self, type_: str, value: str) -> tuple[str, ...]:
        """Name the special ranges and the warning lists in which an observable stands; a flag never hides anything.

        `type_` is a STIX 2.1 name (`ipv4-addr`, `domain-name`, `url`, `email-addr`, `file` with a hash as its value).
        """
        return self._flags.of(type_, value)

    @cached_property
    def _flags(self) -> Flags:
        def table(name: str) -> bytes:
            rows = self._rows(queries.GET_TABLE, [name])
            return rows[0][0] if rows and isinstance(rows[0][0], bytes) else b""

        def members(number: int) -> bytes:
            blob = self._rows(queries.LIST_MEMBERS, [number])[0][0]
            return blob if isinstance(blob, bytes) else b""

        rows = self._rows(queries.LIST_NAMES)
        lists = [(int(str(number)), str(name), str(matching), str(types)) for number, name, matching, types in rows]
        return load_flags(table, lists, members)


def _storable(text: str) -> bool:
    """Tell whether SQLite can take the text: a lone surrogate has no UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _facts(notes: Sequence[tuple[object, ...]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for row in notes for name, value in json.loads(str(row[0])))


def _entry(row: tuple[object, ...]) -> Entry:
    _, id_, kind, names, text, digest, state, successor, url, facts, links, *_ = row
    return Entry(
        id=str(id_),
        kind=str(kind),
        names=tuple(json.loads(str(names))),
        text=str(text),
        release=Digest(str(digest)),
        state=str(state),
        successor=str(successor),
        url=str(url),
        facts=tuple((name, value) for name, value in json.loads(str(facts))),
        links=tuple((relation, target) for relation, target in json.loads(str(links))),
    )

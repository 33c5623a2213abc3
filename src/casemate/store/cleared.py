"""What one clearance can see of the store: a case or a group above it does not exist, in any list, search or count.

This is where clearance is enforced, and nowhere else. Whoever answers a person reads through a `Cleared`, and every
query of it, here and in `cleared_groups.py`, goes through the one condition of `clearance.py`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from casemate.core.assessment import Disposition
from casemate.core.audit import AuditEvent
from casemate.core.case import Case, RelatedCase, State, TimelineEntry
from casemate.core.digest import Digest
from casemate.core.draft import Draft
from casemate.core.feature import Feature
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.store import chain
from casemate.store.case_words import cases_with
from casemate.store.cases import CaseLine, case_line, columns_of_line
from casemate.store.cleared_board import ClearedBoard
from casemate.store.database import Database
from casemate.store.drafts import get_drafts
from casemate.store.features import StoredFeatures
from casemate.store.packing import storable
from casemate.store.pages import Page, read_cursor, write_cursor
from casemate.store.readings import get_original
from casemate.store.shelf import Decoded, Shelf, make_observables, make_timeline
from casemate.store.tables import cases, looks
from casemate.store.texts import StoredTexts
from casemate.store.trials import IN_TURN, is_withheld, withheld_title, withheld_titles, without_proposals


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases are asked for; everything None or empty is everything. `text` are words that must all occur."""

    state: State | None = None
    disposition: Disposition | None = None
    marking: Marking | None = None
    priority: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class ObservableQuery:
    """Which observables of a case are asked for; `text` stands in the value, `unflagged` leaves out known names."""

    case: str
    type: str = ""
    text: str = ""
    unflagged: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A case as a person may see it, its revision, and the numbers of what was left out of it for speed.

    `withheld` says that it is shown without proposals until it is decided.
    """

    case: Case
    revision: int
    observables: int
    entries: int
    withheld: bool


class Cleared(ClearedBoard):
    """The store, as far as one clearance reaches; reads only."""

    def __init__(self, database: Database, clearance: Marking, shelf: Shelf) -> None:
        super().__init__(database, clearance)
        self._shelf = shelf

    def cases(self, query: CaseQuery, limit: int, cursor: str = "") -> Page[CaseLine]:
        """List cases, the newest first; `WrongUsage` for a cursor that is none."""
        listing = self._matching(select(*columns_of_line()), query)
        if cursor:
            created, case_id = read_cursor(cursor, (str, str))
            after = and_(cases.c.created == created, cases.c.id > case_id)
            listing = listing.where(or_(cases.c.created < created, after))
        with self._database.reading() as connection:
            rows = connection.execute(listing.order_by(cases.c.created.desc(), cases.c.id).limit(limit + 1)).all()
            titles = withheld_titles(connection, [row.id for row in rows])
        more = write_cursor([rows[limit - 1].created, rows[limit - 1].id]) if len(rows) > limit else ""
        return Page(tuple(_withheld_line(case_line(row), titles) for row in rows[:limit]), more)

    def count_cases(self, query: CaseQuery) -> int:
        """Count the cases that a query finds."""
        with self._database.reading() as connection:
            return int(connection.execute(self._matching(select(func.count()).select_from(cases), query)).scalar_one())

    def _matching(self, listing: Select[Any], query: CaseQuery) -> Select[Any]:
        listing = listing.where(self._seen(cases))
        if query.disposition is not None or query.priority is not None:
            listing = listing.where(~is_withheld())  # a filter must not tell what is proposed
        for column, wanted in (
            (cases.c.state, query.state),
            (cases.c.disposition, query.disposition),
            (cases.c.marking, query.marking),
        ):
            if wanted is not None:
                listing = listing.where(column == wanted.value)
        if query.priority is not None:
            listing = listing.where(cases.c.priority == query.priority)
        if query.text.strip():
            found = cases_with(query.text)
            listing = listing.where(cases.c.number.in_(found) if found is not None else cases.c.number < 0)
        return listing

    def case_at(self, case_id: str) -> tuple[Case, int] | None:
        """Read a whole case and its revision; None when there is none for this clearance."""
        with self._database.reading() as connection:
            row = self._row(connection, case_id)
            if row is None:
                return None
            case = self._shelf.whole(self._shelf.decoded(row.digest, row.data, f"case {case_id}"))
            return self._as_shown(connection, case)[0], int(row.revision)

    def opened(self, case_id: str) -> Opened | None:
        """Read a case without its observables and timeline, which may be many, and count those."""
        with self._database.reading() as connection:
            row = self._row(connection, case_id)
            if row is None:
                return None
            decoded = self._shelf.decoded(row.digest, row.data, f"case {case_id}")
            case, withheld = self._as_shown(connection, decoded.case)
        return Opened(case, int(row.revision), len(decoded.observables), len(decoded.timeline), withheld)

    def withheld(self, case_id: str) -> bool:
        """Tell whether the proposals of a case are withheld until it is decided; never of one that cannot be seen."""
        query = select(cases.c.number).where(cases.c.id == storable(case_id), self._seen(cases), is_withheld())
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def looks(self, case_id: str) -> tuple[tuple[str, datetime], ...]:
        """Give who may decide and first opened a case when, the earliest first."""
        query = select(looks.c.person, looks.c.time).join(cases, cases.c.number == looks.c.case)
        query = query.where(cases.c.id == storable(case_id), self._seen(cases)).order_by(looks.c.time, looks.c.person)
        with self._database.reading() as connection:
            return tuple((str(row.person), datetime.fromisoformat(row.time)) for row in connection.execute(query))

    def observables(self, query: ObservableQuery, limit: int, cursor: str = "") -> Page[Observable] | None:
        """Give observables of a case in the order first seen; None when there is no such case."""
        decoded = self._decoded(query.case)
        if decoded is None:
            return None
        begin = int(read_cursor(cursor, (int,))[0]) if cursor else 0
        wanted = query.text.casefold()
        found: list[dict[str, Any]] = []
        place = max(begin, 0)
        for place in range(max(begin, 0), len(decoded.observables)):
            item = decoded.observables[place]
            fits = not query.type or item["type"] == query.type
            if fits and (not wanted or wanted in item["value"].casefold()) and not (query.unflagged and item["flags"]):
                if len(found) == limit:
                    return Page(make_observables(found), write_cursor([place]))
                found.append(item)
        return Page(make_observables(found), "")

    def timeline(self, case_id: str, limit: int, cursor: str = "") -> Page[TimelineEntry] | None:
        """Give the timeline of a case, the earliest first; None when there is no such case."""
        decoded = self._decoded(case_id)
        if decoded is None:
            return None
        begin = max(int(read_cursor(cursor, (int,))[0]), 0) if cursor else 0
        end = begin + limit
        more = write_cursor([end]) if end < len(decoded.timeline) else ""
        return Page(make_timeline(decoded.timeline[begin:end]), more)

    def _decoded(self, case_id: str) -> Decoded | None:
        with self._database.reading() as connection:
            row = self._row(connection, case_id)
        return None if row is None else self._shelf.decoded(row.digest, row.data, f"case {case_id}")

    def _row(self, connection: Connection, case_id: str) -> Any:
        query = select(cases.c.data, cases.c.digest, cases.c.revision, cases.c.edition)
        return connection.execute(query.where(cases.c.id == storable(case_id), self._seen(cases))).one_or_none()

    def _as_shown(self, connection: Connection, case: Case) -> tuple[Case, bool]:
        title = withheld_title(connection, case.id)
        if title is not None:
            return without_proposals(case, title), True
        return self._without_hidden(connection, case), False

    def _without_hidden(self, connection: Connection, case: Case) -> Case:
        # Related cases and how many cases share something were found among all cases. What a case whose proposals are
        # withheld shares with another may tell a finding, and its title does.
        if not case.related:
            return case
        ids = [storable(related.id) for related in case.related]
        query = select(cases.c.id).where(cases.c.id.in_(ids), self._seen(cases), ~is_withheld())
        visible = set(connection.execute(query).scalars())
        related = [related for related in case.related if storable(related.id) in visible]
        if self.clearance is list(Marking)[-1] and len(related) == len(case.related):
            return case
        wanted = {Feature(shared.kind, shared.value) for one in related for shared in one.shared}
        shown = StoredFeatures(self._database, self._markings, proposed=True)
        held = shown.frequencies(tuple(sorted(wanted)), case.id)[1]
        counted = tuple(_recount(one, held, len(related) - place) for place, one in enumerate(related))
        return dataclasses.replace(case, related=counted)

    def features(self, *, proposed: bool = False) -> StoredFeatures:
        """Give the index of features over the cases that can be seen; with `proposed`, those shown with proposals."""
        return StoredFeatures(self._database, self._markings, proposed=proposed)

    def texts(self, case_id: str) -> StoredTexts | None:
        """Give the texts that a case cites; None when there is no such case."""
        with self._database.reading() as connection:
            row = self._row(connection, case_id)
        return None if row is None else StoredTexts(self._database, row.edition)

    def history(self, case_id: str) -> tuple[AuditEvent, ...]:
        """Give what was recorded about a case, oldest first; nothing when it cannot be seen."""
        with self._database.reading() as connection:
            if self._row(connection, case_id) is None:
                return ()
            return tuple(chain.stored_events(connection, storable(case_id)))

    def drafts(self, case_id: str) -> tuple[Draft, ...]:
        """Give what tasks wrote about a case, the last of each, as far as its own marking may be seen."""
        with self._database.reading() as connection:
            if self._row(connection, case_id) is None or withheld_title(connection, case_id) is not None:
                return ()
            written = get_drafts(connection, case_id, every=False)
        return tuple(draft for draft in written if draft.marking.value in self._markings)

    def original(self, case_id: str, evidence: Digest) -> bytes | None:
        """Give a piece of evidence of a case as it was received; None where it was not kept or cannot be seen.

        `RecordFailed` when it is not what it was.
        """
        decoded = self._decoded(case_id)
        if decoded is None or not any(item.id == evidence for item in decoded.case.evidence):
            return None
        with self._database.reading() as connection:
            return get_original(connection, evidence)


def _withheld_line(line: CaseLine, titles: Mapping[str, str]) -> CaseLine:
    if line.id not in titles:
        return line
    return dataclasses.replace(
        line, title=titles[line.id], disposition=Disposition.UNDETERMINED, priority=IN_TURN, withheld=True
    )


def _recount(related: RelatedCase, held: Mapping[Feature, int], order: int) -> RelatedCase:
    shared = tuple(
        dataclasses.replace(one, cases=held[Feature(one.kind, one.value)])
        for one in related.shared
        if Feature(one.kind, one.value) in held
    )
    return dataclasses.replace(related, shared=shared, rarity=float(order))

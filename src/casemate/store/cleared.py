"""What one clearance can see of the store: a case or a group above it does not exist, in any list, search or count.

This is where clearance is enforced, and nowhere else. Whoever answers a person reads through a `Cleared`, and every
query of it, here and in `cleared_groups.py`, goes through the one condition of `clearance.py`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Select, and_, func, or_, select

from casemate.core.assessment import Disposition
from casemate.core.audit import AuditEvent
from casemate.core.case import Case, RelatedCase, State
from casemate.core.digest import Digest
from casemate.core.feature import Feature
from casemate.core.marking import Marking
from casemate.store import chain
from casemate.store.case_words import cases_with
from casemate.store.cases import CaseLine, case_line, columns_of_line
from casemate.store.cleared_groups import ClearedGroups
from casemate.store.codec import case_from_json
from casemate.store.features import StoredFeatures
from casemate.store.packing import storable, unpack
from casemate.store.pages import Page, read_cursor, write_cursor
from casemate.store.tables import cases
from casemate.store.texts import StoredTexts


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases are asked for; everything None or empty is everything. `text` are words that must all occur."""

    state: State | None = None
    disposition: Disposition | None = None
    marking: Marking | None = None
    priority: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A case as a person may see it, its revision, and the numbers of what was left out of it for speed."""

    case: Case
    revision: int
    observables: int
    entries: int


class Cleared(ClearedGroups):
    """The store, as far as one clearance reaches; reads only."""

    def cases(self, query: CaseQuery, limit: int, cursor: str = "") -> Page[CaseLine]:
        """List cases, the newest first; `WrongUsage` for a cursor that is none."""
        listing = self._matching(select(*columns_of_line()), query)
        if cursor:
            created, case_id = read_cursor(cursor, (str, str))
            after = and_(cases.c.created == created, cases.c.id > case_id)
            listing = listing.where(or_(cases.c.created < created, after))
        with self._database.reading() as connection:
            rows = connection.execute(listing.order_by(cases.c.created.desc(), cases.c.id).limit(limit + 1)).all()
        more = write_cursor([rows[limit - 1].created, rows[limit - 1].id]) if len(rows) > limit else ""
        return Page(tuple(case_line(row) for row in rows[:limit]), more)

    def count_cases(self, query: CaseQuery) -> int:
        """Count the cases that a query finds."""
        with self._database.reading() as connection:
            return int(connection.execute(self._matching(select(func.count()).select_from(cases), query)).scalar_one())

    def _matching(self, listing: Select[Any], query: CaseQuery) -> Select[Any]:
        listing = listing.where(self._seen(cases))
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
            case = case_from_json(unpack(row.data, f"case {case_id}"))
            return self._without_hidden(connection, case), int(row.revision)

    def opened(self, case_id: str) -> Opened | None:
        """Read a case without its observables and timeline, which may be many, and count those."""
        with self._database.reading() as connection:
            row = self._row(connection, case_id)
            if row is None:
                return None
            plain = orjson.loads(unpack(row.data, f"case {case_id}"))
            counts = len(plain["observables"]), len(plain["timeline"])
            plain["observables"] = plain["timeline"] = []
            case = self._without_hidden(connection, case_from_json(orjson.dumps(plain)))
        return Opened(case, int(row.revision), *counts)

    def _row(self, connection: Connection, case_id: str) -> Any:
        query = select(cases.c.data, cases.c.revision, cases.c.edition)
        return connection.execute(query.where(cases.c.id == storable(case_id), self._seen(cases))).one_or_none()

    def _without_hidden(self, connection: Connection, case: Case) -> Case:
        # Related cases and how many cases share something were found among all cases.
        if self.clearance is list(Marking)[-1] or not case.related:
            return case
        ids = [storable(related.id) for related in case.related]
        query = select(cases.c.id).where(cases.c.id.in_(ids), self._seen(cases))
        visible = set(connection.execute(query).scalars())
        related = [related for related in case.related if storable(related.id) in visible]
        wanted = {Feature(shared.kind, shared.value) for one in related for shared in one.shared}
        held = self.features().frequencies(tuple(sorted(wanted)), case.id)[1]
        counted = tuple(_recount(one, held, len(related) - place) for place, one in enumerate(related))
        return dataclasses.replace(case, related=counted)

    def features(self) -> StoredFeatures:
        """Give the index of features over the cases that can be seen."""
        return StoredFeatures(self._database, self._markings)

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

    def holds(self, case_id: str, evidence: Digest) -> bool:
        """Tell whether a case that can be seen has this evidence."""
        opened = self.opened(case_id)
        return opened is not None and any(item.id == evidence for item in opened.case.evidence)


def _recount(related: RelatedCase, held: Mapping[Feature, int], order: int) -> RelatedCase:
    shared = tuple(
        dataclasses.replace(one, cases=held[Feature(one.kind, one.value)])
        for one in related.shared
        if Feature(one.kind, one.value) in held
    )
    return dataclasses.replace(related, shared=shared, rarity=float(order))

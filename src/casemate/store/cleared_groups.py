"""Groups, alerts and jobs as one clearance can see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_, select

from casemate.audit.chain import write_time
from casemate.core.alert import Group, GroupState, Job, JobState
from casemate.core.assessment import Disposition
from casemate.core.marking import Marking
from casemate.store.case_words import cases_with
from casemate.store.clearance import Clearance
from casemate.store.packing import storable
from casemate.store.pages import Page, UnknownCursor, read_cursor, write_cursor
from casemate.store.receiving import read_delivery
from casemate.store.tables import alert_groups, alerts, cases, deliveries, jobs

ALERT_BYTES = 65_536
WORDS = 8
PRIORITIES = range(1, 6)


@dataclass(frozen=True, slots=True)
class GroupQuery:
    """Which groups are asked for; None or empty is everything. `text` are words that must all occur.

    A group's alert seen last was `seen_since` or later, and before `seen_before`; both with a time zone.
    """

    open: bool | None = True
    state: GroupState | None = None
    disposition: Disposition | None = None
    marking: Marking | None = None
    priority: int | None = None
    text: str = ""
    seen_since: datetime | None = None
    seen_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class RawAlert:
    """One alert as received: hostile text, cut at `ALERT_BYTES`; `size` is its whole size in bytes."""

    number: int
    received: datetime
    sender: str
    source: str
    size: int
    text: str


class ClearedGroups(Clearance):
    """The queue, as far as one clearance reaches; reads only."""

    def groups(self, query: GroupQuery, limit: int, cursor: str = "") -> Page[Group]:
        """List groups: by priority, then the one seen last; `WrongUsage` for a cursor that is none."""
        listing = self._grouped(select(alert_groups), query)
        if cursor:
            priority, last, number = read_cursor(cursor, (int, str, int))
            if priority not in PRIORITIES:  # PostgreSQL compares its column with no number that is too large for it
                raise UnknownCursor("this cursor was not given by this list", way_out="begin again without a cursor")
            later = and_(alert_groups.c.priority == priority, alert_groups.c.last_seen < last)
            same = and_(alert_groups.c.priority == priority, alert_groups.c.last_seen == last)
            listing = listing.where(
                or_(alert_groups.c.priority > priority, later, and_(same, alert_groups.c.number < number))
            )
        order = (alert_groups.c.priority, alert_groups.c.last_seen.desc(), alert_groups.c.number.desc())
        with self._database.reading() as connection:
            rows = connection.execute(listing.order_by(*order).limit(limit + 1)).all()
        end = rows[limit - 1] if len(rows) > limit else None
        more = "" if end is None else write_cursor([end.priority, end.last_seen, end.number])
        return Page(tuple(_group(row) for row in rows[:limit]), more)

    def count_groups(self, query: GroupQuery) -> int:
        """Count the groups that a query finds."""
        with self._database.reading() as connection:
            counting = self._grouped(select(func.count()).select_from(alert_groups), query)
            return int(connection.execute(counting).scalar_one())

    def _grouped(self, listing: Select[Any], query: GroupQuery) -> Select[Any]:
        listing = listing.where(self._seen(alert_groups))
        if query.open is not None:
            listing = listing.where(alert_groups.c.open == int(query.open))
        for column, wanted in (
            (alert_groups.c.state, query.state),
            (alert_groups.c.disposition, query.disposition),
            (alert_groups.c.marking, query.marking),
        ):
            if wanted is not None:
                listing = listing.where(column == wanted.value)
        if query.priority is not None:
            listing = listing.where(alert_groups.c.priority == query.priority)
        if query.seen_since is not None:
            listing = listing.where(alert_groups.c.last_seen >= write_time(query.seen_since))
        if query.seen_before is not None:
            listing = listing.where(alert_groups.c.last_seen < write_time(query.seen_before))
        for word in storable(query.text).split()[:WORDS]:
            columns = (alert_groups.c.rule, alert_groups.c.entity, alert_groups.c.title)
            said = [column.icontains(word, autoescape=True) for column in columns]
            found = cases_with(word)
            if found is not None:
                named = select(cases.c.id).where(cases.c.number.in_(found), self._seen(cases))
                said.append(alert_groups.c.case.in_(named))
            listing = listing.where(or_(*said))
        return listing

    def group(self, number: int) -> Group | None:
        """Read one group."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(alert_groups).where(alert_groups.c.number == number, self._seen(alert_groups))
            ).one_or_none()
        return None if row is None else _group(row)

    def group_of(self, case_id: str) -> Group | None:
        """Read the group that led to a case; None for a case made at the command line."""
        query = select(alert_groups).where(alert_groups.c.case == storable(case_id), self._seen(alert_groups))
        with self._database.reading() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        return None if row is None else _group(row)

    def changed_since(self, change: int, limit: int) -> tuple[Group, ...]:
        """Give the groups that changed after a change, the earliest change first."""
        # All groups of one delivery change at once: a page never ends in the middle of a change.
        visible = select(alert_groups).where(self._seen(alert_groups))
        query = visible.where(alert_groups.c.changed > change).order_by(alert_groups.c.changed).limit(limit)
        with self._database.reading() as connection:
            rows = list(connection.execute(query).all())
            if len(rows) == limit:
                last = rows[-1].changed
                rows = [row for row in rows if row.changed < last]
                rows += connection.execute(visible.where(alert_groups.c.changed == last)).all()
        return tuple(_group(row) for row in rows)

    def last_change(self) -> int:
        """Give the number of the last change of any group that can be seen, 0 when there is none."""
        query = select(func.max(alert_groups.c.changed)).where(self._seen(alert_groups))
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar() or 0)

    def alerts(self, group: int, limit: int, cursor: str = "") -> Page[RawAlert]:
        """Give the alerts of a group as they were received, oldest first; none for a group that cannot be seen."""
        query = (
            select(alerts, deliveries.c.time, deliveries.c.source, deliveries.c.sender)
            .join(deliveries, deliveries.c.number == alerts.c.delivery)
            .where(alerts.c.group == group, self._seen(deliveries))
            .order_by(alerts.c.number)
            .limit(limit + 1)
        )
        if cursor:
            query = query.where(alerts.c.number > read_cursor(cursor, (int,))[0])
        found = []
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            held = (0, b"")
            for row in rows[:limit]:
                if held[0] != row.delivery:
                    held = (row.delivery, read_delivery(connection, row.delivery))
                data = held[1][row.start : row.start + min(row.size, ALERT_BYTES)]
                time = datetime.fromisoformat(row.time)
                text = data.decode("utf-8", "replace")
                found.append(RawAlert(row.number, time, row.sender, row.source, row.size, text))
        return Page(tuple(found), write_cursor([rows[limit - 1].number]) if len(rows) > limit else "")

    def jobs(self, state: JobState | None, limit: int, cursor: str = "") -> Page[Job]:
        """List jobs, the newest first."""
        query = _jobs().where(self._seen(alert_groups)).order_by(jobs.c.number.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(jobs.c.state == state.value)
        if cursor:
            query = query.where(jobs.c.number < read_cursor(cursor, (int,))[0])
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        more = write_cursor([rows[limit - 1].number]) if len(rows) > limit else ""
        return Page(tuple(_job(row) for row in rows[:limit]), more)

    def job(self, number: int) -> Job | None:
        """Read one job."""
        with self._database.reading() as connection:
            row = connection.execute(_jobs().where(jobs.c.number == number, self._seen(alert_groups))).one_or_none()
        return None if row is None else _job(row)


def _jobs() -> Select[Any]:
    return select(jobs, alert_groups.c.marking).join(alert_groups, alert_groups.c.number == jobs.c.group)


def _group(row: Any) -> Group:
    return Group(
        number=row.number,
        rule=row.rule,
        entity=row.entity,
        template=row.template,
        kind=row.kind,
        marking=Marking(row.marking),
        count=row.count,
        first_seen=datetime.fromisoformat(row.first_seen),
        last_seen=datetime.fromisoformat(row.last_seen),
        received=datetime.fromisoformat(row.received),
        severity=row.severity,
        priority=row.priority,
        state=GroupState(row.state),
        case=row.case,
        title=row.title,
        disposition=None if row.disposition is None else Disposition(row.disposition),
        changed=row.changed,
    )


def _job(row: Any) -> Job:
    return Job(
        number=row.number,
        group=row.group,
        marking=Marking(row.marking),
        state=JobState(row.state),
        priority=row.priority,
        attempts=row.attempts,
        created=datetime.fromisoformat(row.created),
        ended=None if row.ended is None else datetime.fromisoformat(row.ended),
        owner=row.owner or "",
        reason=row.reason,
        through=row.through,
    )

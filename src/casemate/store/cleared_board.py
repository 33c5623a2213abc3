"""What the board is made of: counts, waiting times, judgements, trials and costs, as far as one clearance reaches."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from casemate.audit.chain import write_time
from casemate.core.cost import Cost
from casemate.store.cleared_groups import ClearedGroups
from casemate.store.judgements import DISPOSITION
from casemate.store.tables import (
    alert_groups,
    alerts,
    cases,
    deliveries,
    jobs,
    judgements,
    looks,
    model_uses,
    reviews,
    trials,
)
from casemate.store.trials import Arm

WEEKS = 12
TRIAL_DAYS = 180
TIMED_CASES = 500
"""Timed cases of one arm that are given, the newest."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC): alerts received, and cases on which a person set a disposition."""

    day: date
    alerts: int
    decided: int


@dataclass(frozen=True, slots=True)
class Judged:
    """How often people agreed with one maker's proposals in one week, which begins on a Monday (UTC)."""

    week: date
    agreed: int
    judged: int


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made proposals `about` a `disposition` or a `finding`, and what people said of them, oldest week first."""

    about: str
    name: str
    weeks: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """Figures of the last days, the oldest day first.

    `first_looks` and `decisions` are the seconds, for each case first looked at or first decided in these days, since
    its alerts arrived (a case made at the command line: since it was made). `makers` reach back `WEEKS` weeks.
    `unseen` are the proposed dispositions of cases decided without seeing them. `timed_with` and `timed_without` are
    the seconds from first look to decision of the newest drawn cases, by whether proposals were shown. `costs` name
    what each model took in these days.
    """

    days: tuple[Day, ...]
    first_looks: tuple[float, ...]
    decisions: tuple[float, ...]
    makers: tuple[Maker, ...]
    unseen: tuple[int, int]
    timed_with: tuple[float, ...]
    timed_without: tuple[float, ...]
    costs: tuple[tuple[str, Cost], ...]
    jobs: tuple[tuple[str, int], ...]
    groups: tuple[tuple[str, int], ...]


class ClearedBoard(ClearedGroups):
    """The figures of the service, as far as one clearance reaches; reads only."""

    def board(self, days: int, now: datetime | None = None) -> Board:
        """Count the last `days` days up to today."""
        today = (now or datetime.now(UTC)).astimezone(UTC).date()
        first = today - timedelta(days=days - 1)
        since = _begin_of(first)
        with self._database.reading() as connection:
            received = self._received(connection, since)
            told = self._decided(connection, since)
            waiting = select(jobs.c.state, func.count()).join(alert_groups, alert_groups.c.number == jobs.c.group)
            by_state = connection.execute(waiting.where(self._seen(alert_groups)).group_by(jobs.c.state)).all()
            grouped = select(alert_groups.c.state, func.count()).where(self._seen(alert_groups))
            groups = connection.execute(grouped.group_by(alert_groups.c.state)).all()
            decided = Counter(time.date() for _began, times in told for time in times if time.date() >= first)
            line = [first + timedelta(days=step) for step in range(days)]
            return Board(
                tuple(Day(day, received.get(day.isoformat(), 0), decided.get(day, 0)) for day in line),
                self._first_looks(connection, since),
                _waits((began, times[0]) for began, times in told if times[0].date() >= first),
                self._makers(connection, today),
                self._unseen(connection, today),
                self._timed(connection, Arm.SHOWN, today),
                self._timed(connection, Arm.WITHHELD, today),
                self._costs(connection, since),
                tuple((str(state), int(count)) for state, count in by_state),
                tuple((str(state), int(count)) for state, count in groups),
            )

    def _received(self, connection: Connection, since: str) -> dict[str, int]:
        day = _day(deliveries.c.time)
        query = (
            select(day, func.count())
            .select_from(alerts)
            .join(deliveries, deliveries.c.number == alerts.c.delivery)
            .where(deliveries.c.time >= since, self._seen(deliveries))
            .group_by(day)
        )
        return {str(name): int(count) for name, count in connection.execute(query)}

    def _arrived(self, *columns: Any) -> Select[Any]:
        """Begin a query over the cases that can be seen, with when their alerts arrived."""
        arrived = select(alert_groups.c.case, func.min(alert_groups.c.received).label("received"))
        groups = arrived.where(alert_groups.c.case.is_not(None)).group_by(alert_groups.c.case).subquery()
        query = select(*columns, func.coalesce(groups.c.received, cases.c.created).label("began")).select_from(cases)
        return query.outerjoin(groups, groups.c.case == cases.c.id).where(self._seen(cases))

    def _decided(self, connection: Connection, since: str) -> list[tuple[datetime, list[datetime]]]:
        """Give, for each case decided in the time, when it began and all times at which it was decided."""
        recent = select(reviews.c.case).where(reviews.c.time >= since, reviews.c.disposition.is_not(None))
        query = self._arrived(cases.c.number, reviews.c.time).join(reviews, reviews.c.case == cases.c.number)
        query = query.where(cases.c.number.in_(recent), reviews.c.disposition.is_not(None))
        found: dict[int, tuple[datetime, list[datetime]]] = {}
        for row in connection.execute(query.order_by(cases.c.number, reviews.c.number)):
            held = found.setdefault(row.number, (datetime.fromisoformat(row.began), []))
            time = datetime.fromisoformat(row.time)
            if time not in held[1]:
                held[1].append(time)
        return list(found.values())

    def _first_looks(self, connection: Connection, since: str) -> tuple[float, ...]:
        first = select(looks.c.case, func.min(looks.c.time).label("time")).group_by(looks.c.case)
        looked = first.having(func.min(looks.c.time) >= since).subquery()
        query = self._arrived(looked.c.time).join(looked, looked.c.case == cases.c.number)
        rows = connection.execute(query)
        return _waits((datetime.fromisoformat(row.began), datetime.fromisoformat(row.time)) for row in rows)

    def _makers(self, connection: Connection, today: date) -> tuple[Maker, ...]:
        monday = today - timedelta(days=today.weekday())
        mondays = [monday - timedelta(weeks=WEEKS - 1 - step) for step in range(WEEKS)]
        day = _day(judgements.c.time)
        query = (
            select(judgements.c.about, judgements.c.maker, day.label("day"), judgements.c.agreed, func.count())
            .join(cases, cases.c.number == judgements.c.case)
            .where(judgements.c.time >= _begin_of(mondays[0]), self._seen(cases))
            .group_by(judgements.c.about, judgements.c.maker, day, judgements.c.agreed)
        )
        counted: dict[tuple[str, str], Counter[tuple[date, int]]] = {}
        for about, maker, name, agreed, count in connection.execute(query):
            at = date.fromisoformat(name)
            counted.setdefault((about, maker), Counter())[at - timedelta(days=at.weekday()), agreed] += count
        return tuple(
            Maker(about, name, tuple(Judged(one, held[one, 1], held[one, 0] + held[one, 1]) for one in mondays))
            for (about, name), held in sorted(counted.items(), key=lambda item: (item[0][0], -item[1].total(), item[0]))
        )

    def _unseen(self, connection: Connection, today: date) -> tuple[int, int]:
        query = (
            select(judgements.c.agreed, func.count())
            .join(cases, cases.c.number == judgements.c.case)
            .join(trials, trials.c.case == judgements.c.case)
            .where(trials.c.arm == Arm.WITHHELD.value, trials.c.decided >= _begin_of(today - timedelta(TRIAL_DAYS)))
            .where(judgements.c.about == DISPOSITION, judgements.c.number == 1, self._seen(cases))
            .group_by(judgements.c.agreed)
        )
        counts = {int(agreed): int(count) for agreed, count in connection.execute(query)}
        return counts.get(1, 0), sum(counts.values())

    def _timed(self, connection: Connection, arm: Arm, today: date) -> tuple[float, ...]:
        query = (
            select(trials.c.seconds)
            .join(cases, cases.c.number == trials.c.case)
            .where(trials.c.arm == arm.value, trials.c.decided >= _begin_of(today - timedelta(days=TRIAL_DAYS)))
            .where(trials.c.seconds.is_not(None), self._seen(cases))
            .order_by(trials.c.decided.desc())
        )
        return tuple(float(one) for one in connection.execute(query.limit(TIMED_CASES)).scalars())

    def _costs(self, connection: Connection, since: str) -> tuple[tuple[str, Cost], ...]:
        sums = [
            func.sum(column)
            for column in (
                model_uses.c.prompt_tokens,
                model_uses.c.cached_tokens,
                model_uses.c.generated_tokens,
                model_uses.c.seconds,
            )
        ]
        query = (
            select(model_uses.c.model, func.count(), *sums)
            .join(cases, cases.c.id == model_uses.c.case)
            .where(model_uses.c.time >= since, self._seen(cases))
            .group_by(model_uses.c.model)
            .order_by(model_uses.c.model)
        )
        return tuple(
            (str(model), Cost(int(count), int(read), int(cached), int(written), float(seconds)))
            for model, count, read, cached, written, seconds in connection.execute(query)
        )


def _day(time: ColumnElement[str]) -> ColumnElement[str]:
    # Written out: PostgreSQL does not see that a parameter in SELECT and one in GROUP BY are the same.
    return func.substr(time, literal_column("1"), literal_column("10"))


def _begin_of(day: date) -> str:
    return write_time(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _waits(times: Iterable[tuple[datetime, datetime]]) -> tuple[float, ...]:
    return tuple(max((ended - began).total_seconds(), 0.0) for began, ended in times)

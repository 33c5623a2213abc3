"""What the board shows: counts, waiting times and agreement over the last days, as far as one clearance reaches."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from casemate.audit.chain import write_time
from casemate.core.case import State, Verdict
from casemate.store.cleared_groups import ClearedGroups
from casemate.store.packing import unpack
from casemate.store.tables import alert_groups, alerts, cases, deliveries, jobs, reviews

JUDGED_CASES = 300
JUDGED_BYTES = 16 * 1024 * 1024  # of packed cases


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC): alerts received, and cases on which a person set a disposition."""

    day: date
    alerts: int
    decided: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often people left a maker's proposals as they were: `agreed` of `judged`."""

    maker: str
    agreed: int
    judged: int


@dataclass(frozen=True, slots=True)
class Board:
    """Figures of the last days, the oldest day first.

    `first_word` and `decision` are medians in seconds, from when the alerts arrived (a case made at the command line:
    when it was made) to the first review by a person and to the first disposition; None when there was none.
    `dispositions` compares proposals with decisions by model, `findings` verdicts by what made the finding; both of the
    newest closed cases, `compared` of them.
    """

    days: tuple[Day, ...]
    first_word: float | None
    decision: float | None
    compared: int
    dispositions: tuple[Agreement, ...]
    findings: tuple[Agreement, ...]
    jobs: tuple[tuple[str, int], ...]
    groups: tuple[tuple[str, int], ...]


class ClearedBoard(ClearedGroups):
    """The figures of the service, as far as one clearance reaches; reads only."""

    def board(self, days: int, now: datetime | None = None) -> Board:
        """Count the last `days` days up to today."""
        today = (now or datetime.now(UTC)).date()
        first = today - timedelta(days=days - 1)
        since = write_time(datetime(first.year, first.month, first.day, tzinfo=UTC))
        with self._database.reading() as connection:
            received = self._received(connection, since)
            told = self._told(connection, since)
            dispositions, findings, compared = self._judged(connection)
            waiting = select(jobs.c.state, func.count()).join(alert_groups, alert_groups.c.number == jobs.c.group)
            by_state = connection.execute(waiting.where(self._seen(alert_groups)).group_by(jobs.c.state)).all()
            grouped = select(alert_groups.c.state, func.count()).where(self._seen(alert_groups))
            groups = connection.execute(grouped.group_by(alert_groups.c.state)).all()
        decided = Counter(time.date() for _began, _first, times in told for time in times)
        line = [first + timedelta(days=step) for step in range(days)]
        return Board(
            tuple(Day(day, received.get(day.isoformat(), 0), decided.get(day, 0)) for day in line),
            _median([(begun - began).total_seconds() for began, begun, _times in told if begun is not None]),
            _median([(min(times) - began).total_seconds() for began, _first, times in told if times]),
            compared,
            dispositions,
            findings,
            tuple((str(state), int(count)) for state, count in by_state),
            tuple((str(state), int(count)) for state, count in groups),
        )

    def _received(self, connection: Connection, since: str) -> dict[str, int]:
        day = func.substr(deliveries.c.time, 1, 10)
        query = (
            select(day, func.count())
            .select_from(alerts)
            .join(deliveries, deliveries.c.number == alerts.c.delivery)
            .where(deliveries.c.time >= since, self._seen(deliveries))
            .group_by(day)
        )
        return {str(name): int(count) for name, count in connection.execute(query)}

    def _told(self, connection: Connection, since: str) -> list[tuple[datetime, datetime | None, list[datetime]]]:
        """Give, for each case reviewed in the time: when it began, its first review, and when it was decided."""
        query = (
            select(reviews.c.case, reviews.c.number, reviews.c.time, reviews.c.disposition)
            .add_columns(cases.c.created, alert_groups.c.received)
            .join(cases, cases.c.number == reviews.c.case)
            .outerjoin(alert_groups, alert_groups.c.case == cases.c.id)
            .where(reviews.c.time >= since, self._seen(cases))
            .order_by(reviews.c.case, reviews.c.number)
        )
        found: dict[int, tuple[datetime, datetime | None, list[datetime]]] = {}
        for row in connection.execute(query):
            time = datetime.fromisoformat(row.time)
            began = datetime.fromisoformat(row.received or row.created)
            held = found.setdefault(row.case, (began, time if row.number == 1 else None, []))
            if row.disposition is not None and time not in held[2]:
                held[2].append(time)
        return list(found.values())

    def _judged(self, connection: Connection) -> tuple[tuple[Agreement, ...], tuple[Agreement, ...], int]:
        query = select(cases.c.number, cases.c.data, cases.c.disposition)
        closed = query.where(cases.c.state == State.CLOSED.value, self._seen(cases))
        rows = connection.execute(closed.order_by(cases.c.number.desc()).limit(JUDGED_CASES))
        proposals: Counter[tuple[str, bool]] = Counter()
        verdicts: Counter[tuple[str, bool]] = Counter()
        compared = size = 0
        for row in rows:
            size += len(row.data)
            if compared and size > JUDGED_BYTES:
                break
            compared += 1
            plain = orjson.loads(unpack(row.data, f"case {row.number}"))
            model = plain["run"]["model_name"] if plain["run"]["model"] else "no language model"
            proposals[model, plain["assessment"]["proposal"]["disposition"] == row.disposition] += 1
            verdicts.update(_verdicts(plain))
        return _agreements(proposals), _agreements(verdicts), compared


def _verdicts(plain: dict[str, Any]) -> list[tuple[str, bool]]:
    last = {one["finding"]: one["verdict"] for review in plain["reviews"] for one in review["decisions"]}
    makers = {one["id"]: f"{one['basis']}: {one['kind']}" for one in plain["findings"]}
    return [(makers[name], verdict == Verdict.ACCEPTED) for name, verdict in last.items() if name in makers]


def _agreements(counted: Counter[tuple[str, bool]]) -> tuple[Agreement, ...]:
    makers = {maker for maker, _agreed in counted}
    made = (Agreement(one, counted[one, True], counted[one, True] + counted[one, False]) for one in makers)
    return tuple(sorted(made, key=lambda one: (-one.judged, one.maker)))


def _median(values: list[float]) -> float | None:
    return median(values) if values else None

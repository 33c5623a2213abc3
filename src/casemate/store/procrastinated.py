"""procrastinate as the queue on PostgreSQL: it hands jobs out and knows by heartbeats which workers live.

Everything runs in casemate's own transactions (docs/adr/0015-postgresql.md), so that a job, the change of state it
comes with and the audit event are there together or not at all. What procrastinate holds is what is still to be done;
what became of a job is in the table `jobs`.
"""

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job as QueuedJob
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from sqlalchemy import Column, Connection, MetaData, Table, Text, column, func, insert, inspect, select, table, text

from casemate.core.alert import JobState, Lease
from casemate.core.errors import StoreFailed
from casemate.store.handout import is_dead, leased
from casemate.store.tables import jobs

QUEUE = "triage"
TASK = "casemate.triage"

_steps = Table("procrastinate_steps", MetaData(), Column("name", Text, primary_key=True))
_queued = table("procrastinate_jobs", column("id"), column("lock"), column("worker_id"))
_workers = table("procrastinate_workers", column("id"))
_DOING = text("status = 'doing'")
_OPEN = text("status IN ('todo', 'doing')")

T = TypeVar("T")


class Procrastinated:
    """Hands out by procrastinate's functions; a worker is dead when it has not been heard of for `lease_seconds`.

    The clock is the server's: clocks of hosts that differ or jump make no difference.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._seconds = lease_seconds
        self._known: dict[str, int] = {}  # owner -> number of its row in procrastinate_workers

    def offer(self, connection: Connection, offered: Sequence[tuple[int, int]]) -> None:
        """Defer jobs; procrastinate's priorities grow with urgency, casemate's fall."""
        made = [
            QueuedJob(
                queue=QUEUE,
                task_name=TASK,
                priority=-priority,
                lock=_lock(number),
                queueing_lock=_lock(number),
                task_kwargs={"job": number},
            )
            for number, priority in offered
        ]
        if made:
            _manager(connection).batch_defer_jobs(made)

    def any_free(self, connection: Connection, now: datetime) -> bool:  # noqa: ARG002 - the server's clock counts
        """Look for something to do, for jobs of workers that are silent, for jobs of dead processes of this host."""
        waiting = text("status = 'todo' AND queue_name = :queue AND coalesce(scheduled_at <= now(), true)")
        found = connection.execute(select(_queued.c.id).where(waiting).limit(1), {"queue": QUEUE}).first()
        return found is not None or bool(self._stalled(connection)) or any(map(_has_dead_owner, leased(connection)))

    def claim(self, connection: Connection, owner: str, now: datetime) -> Iterator[Any]:  # noqa: ARG002 - the server's clock counts
        """Free what stalled, then fetch one after the other."""
        manager = _manager(connection)
        for stalled in self._stalled(connection):
            _free(connection, stalled.id)
        for row in filter(_has_dead_owner, leased(connection)):
            self.give_back(connection, row.number)
        _done(manager.prune_stalled_workers(self._seconds))
        worker = self._worker(connection, manager, owner)
        # A worker works at one job at a time: one that asks has given up what it has by the books.
        having = select(_queued.c.id).where(_queued.c.worker_id == worker, _DOING)
        for number in connection.execute(having).scalars().all():
            _free(connection, number)
        while (fetched := _done(manager.fetch_job([QUEUE], worker))) is not None:
            job = int(str(fetched.task_kwargs["job"]))
            row = connection.execute(select(jobs).where(jobs.c.number == job)).one_or_none()
            if row is None or row.state not in (JobState.WAITING, JobState.LEASED):
                self.withdraw(connection, job)
                continue
            yield row

    def hold(self, connection: Connection, lease: Lease) -> bool:
        """Let procrastinate hear of the worker."""
        worker = self._known.get(lease.owner)
        having = select(_queued.c.id).where(_queued.c.lock == _lock(lease.job), _queued.c.worker_id == worker, _DOING)
        if worker is None or connection.execute(having).first() is None:
            return False
        _done(_manager(connection).update_heartbeat(worker))
        return True

    def give_back(self, connection: Connection, job: int) -> None:
        """Make a job free that was fetched."""
        having = select(_queued.c.id).where(_queued.c.lock == _lock(job), _DOING)
        for number in connection.execute(having).scalars().all():
            _free(connection, number)

    def withdraw(self, connection: Connection, job: int) -> None:
        """Delete a job of procrastinate: the record of it is the row of `jobs`."""
        having = select(_queued.c.id).where(_queued.c.lock == _lock(job), _OPEN)
        for number in connection.execute(having).scalars().all():
            _done(_manager(connection).finish_job_by_id_async(number, Status.SUCCEEDED, delete_job=True))

    def _stalled(self, connection: Connection) -> list[QueuedJob]:
        seconds = self._seconds
        return list(_done(_manager(connection).get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=seconds)))

    def _worker(self, connection: Connection, manager: JobManager, owner: str) -> int:
        known = self._known.get(owner)
        if known is None or connection.execute(select(_workers.c.id).where(_workers.c.id == known)).first() is None:
            known = self._known[owner] = _done(manager.register_worker())
        else:
            _done(manager.update_heartbeat(known))
        return known


def is_laid_out(connection: Connection) -> bool:
    """Say whether procrastinate's tables are those of the release that is installed."""
    if not inspect(connection).has_table(_steps.name):
        return False
    return set(_step_files()) <= set(connection.execute(select(_steps.c.name)).scalars())


def lay_out(connection: Connection) -> None:
    """Make procrastinate's tables, or bring those of an older release up to date, in the caller's transaction."""
    there = inspect(connection).has_table(_queued.name)
    if there and not inspect(connection).has_table(_steps.name):
        raise StoreFailed(
            "the database has tables of procrastinate that casemate did not make",
            way_out="give casemate its own database",
        )
    _steps.create(connection, checkfirst=True)
    files = _step_files()
    applied = set(connection.execute(select(_steps.c.name)).scalars())
    missing = {name: path for name, path in files.items() if name not in applied}
    scripts = [path.read_text("utf-8") for path in missing.values()] if there else [SchemaManager.get_schema()]
    for script in scripts:
        _raw(connection).execute(script)
    if missing:
        connection.execute(insert(_steps), [{"name": name} for name in missing])
    if not there:
        unfinished = select(jobs.c.number, jobs.c.priority).where(jobs.c.state.in_((JobState.WAITING, JobState.LEASED)))
        Procrastinated(0).offer(connection, [(row.number, row.priority) for row in connection.execute(unfinished)])


def _step_files() -> Mapping[str, Path]:
    return {path.name: path for path in sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))}


def _lock(number: int) -> str:
    return f"job {number}"


def _has_dead_owner(row: Any) -> bool:
    return is_dead(row.owner)


def _free(connection: Connection, number: int | None) -> None:
    # At the server's time: procrastinate's default is the host's, and a clock that is ahead would hide the job so long.
    now = connection.execute(select(func.now())).scalar_one()
    assert number is not None
    _done(_manager(connection).retry_job_by_id_async(number, retry_at=now))


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _manager(connection: Connection) -> JobManager:
    return JobManager(_InTransaction(_raw(connection)))


def _done(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing, as all are that use `_InTransaction`: no event loop is needed."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]  # what a coroutine returns is in its StopIteration
    raise AssertionError("procrastinate waited for something")


class _InTransaction(BaseConnector):
    """Runs procrastinate's statements on a connection that is in a transaction already."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._running = SyncPsycopgConnector()

    def get_sync_connector(self) -> BaseConnector:
        return self

    def execute_query(self, query: Any, **arguments: Any) -> None:
        self._running.execute_query_all_with_connection(self._connection, query, **arguments)

    def execute_query_one(self, query: Any, **arguments: Any) -> dict[str, Any]:
        return self._running.execute_query_one_with_connection(self._connection, query, **arguments)

    def execute_query_all(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        return self._running.execute_query_all_with_connection(self._connection, query, **arguments)

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        self.execute_query(query, **arguments)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        return self.execute_query_one(query, **arguments)

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        return self.execute_query_all(query, **arguments)

"""Which job a worker gets next, and who has it: the port, and the lease table that serves one file."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, select, update

from casemate.audit.chain import write_time
from casemate.core.alert import JobState, Lease
from casemate.store.processes import host_name, is_alive
from casemate.store.tables import jobs

PROCESS_DIGITS = 10
"""More than the number of any process has; what is longer was not written by `owner_name`."""

_LEASED = select(jobs).where(jobs.c.state == JobState.LEASED)
_NEXT_WAITING = select(jobs).where(jobs.c.state == JobState.WAITING).order_by(jobs.c.priority, jobs.c.number).limit(1)
_HOLD = update(jobs).where(jobs.c.number == bindparam("job")).values(lease_until=bindparam("until"))


class Handout(Protocol):
    """Hands out jobs, in the caller's transactions: what becomes of them is in the table `jobs`, whoever hands out."""

    def offer(self, connection: Connection, offered: Sequence[tuple[int, int]]) -> None:
        """Let workers have jobs, given as (number, priority), once this transaction has ended."""

    def any_free(self, connection: Connection, now: datetime) -> bool:
        """Say, in a transaction that only reads, whether `claim` would give something."""

    def claim(self, connection: Connection, owner: str, now: datetime) -> Iterator[Any]:
        """Give rows of `jobs` that nobody has, the most urgent first, each `owner`'s until it is withdrawn."""

    def hold(self, connection: Connection, lease: Lease) -> bool:
        """Keep a job that was claimed until `lease.until`; false when it is free for others already."""

    def give_back(self, connection: Connection, job: int) -> None:
        """Make a job free that was claimed and is not done."""

    def withdraw(self, connection: Connection, job: int) -> None:
        """Let nobody have a job again: it is done, or dead."""


class LeaseTable:
    """Leases in the table `jobs` itself: a state, an owner, and a time by the clock of the one host there is."""

    def __init__(self, lease_seconds: float) -> None:
        # A lease cannot lie further ahead than it is long, unless the clock was put back under it. Whether a worker of
        # this host lives is known without a clock; if it does, it renews its lease by the new one.
        self._longest = timedelta(seconds=2 * lease_seconds)

    def offer(self, connection: Connection, offered: Sequence[tuple[int, int]]) -> None:
        """Do nothing: a row in the state `waiting` is offered."""

    def any_free(self, connection: Connection, now: datetime) -> bool:
        """Look for the first."""
        return next(self._free(connection, now), None) is not None

    def claim(self, connection: Connection, owner: str, now: datetime) -> Iterator[Any]:  # noqa: ARG002 - the port's signature
        """Give what has no owner, a dead one, or one whose lease has run out; `hold` makes it the caller's."""
        return self._free(connection, now)

    def hold(self, connection: Connection, lease: Lease) -> bool:
        """Write down until when."""
        connection.execute(_HOLD, {"job": lease.job, "until": write_time(lease.until)})
        return True

    def give_back(self, connection: Connection, job: int) -> None:
        """Do nothing: the state says it."""

    def withdraw(self, connection: Connection, job: int) -> None:
        """Do nothing: the state says it."""

    def _free(self, connection: Connection, now: datetime) -> Iterator[Any]:
        ends, far = write_time(now), write_time(now + self._longest)
        for row in leased(connection):
            until = row.lease_until or ""
            over = until < ends or (until > far and not is_here(row.owner))
            if over or is_dead(row.owner):
                yield row
        while row := connection.execute(_NEXT_WAITING).one_or_none():
            yield row


def leased(connection: Connection) -> Sequence[Any]:
    """Read the jobs that some worker has."""
    return connection.execute(_LEASED).all()


def owner_name(nonce: str) -> str:
    """Name this process as the owner of leases."""
    return f"{host_name()}/{os.getpid()}/{nonce}"


def is_here(owner: str | None) -> bool:
    """Say whether an owner is or was a process of this host."""
    return (owner or "").partition("/")[0] == host_name()


def is_dead(owner: str | None) -> bool:
    """Say whether an owner was a process of this host that is there no more; of any other name nobody can tell."""
    process = (owner or "").partition("/")[2].partition("/")[0]
    named = process.isascii() and process.isdecimal() and len(process) <= PROCESS_DIGITS
    return is_here(owner) and named and not is_alive(int(process))

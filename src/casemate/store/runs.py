"""Runs: which inputs one command was given and how far it came, so that the same command resumes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.core.errors import WrongUsage
from casemate.store.ledger import Change
from casemate.store.packing import storable
from casemate.store.tables import run_inputs, runs


@dataclass(frozen=True, slots=True)
class Run:
    """How far a run is: `done` are (input, reading key) pairs; `case` is empty until the run has ended."""

    key: str
    inputs: tuple[str, ...]
    done: tuple[tuple[str, str], ...]
    case: str = ""


_RUN = select(runs.c.case).where(runs.c.key == bindparam("run"))
_INPUTS = (
    select(run_inputs.c.name, run_inputs.c.reading)
    .where(run_inputs.c.run == bindparam("run"))
    .order_by(run_inputs.c.position)
)
_NEW_RUN = insert(runs)
_NEW_INPUTS = insert(run_inputs)
_INPUT_READ = (
    update(run_inputs)
    .where(run_inputs.c.run == bindparam("of_run"), run_inputs.c.name == bindparam("named"))
    .values(reading=bindparam("read_as"))
)
_ENDED = update(runs).where(runs.c.key == bindparam("run")).values(ended=bindparam("at"), case=bindparam("led_to"))


def get_run(connection: Connection, key: str) -> Run | None:
    """Read how far a run is."""
    row = connection.execute(_RUN, {"run": key}).one_or_none()
    if row is None:
        return None
    rows = connection.execute(_INPUTS, {"run": key}).all()
    done = tuple((found.name, found.reading) for found in rows if found.reading is not None)
    return Run(key, tuple(found.name for found in rows), done, row.case or "")


def begin_run(change: Change, key: str, inputs: Sequence[str], event: NewAuditEvent) -> None:
    """Write a run and its event, unless the run was begun before."""
    if change.connection.execute(_RUN, {"run": key}).one_or_none() is None:
        put_run(change.connection, key, inputs, change.now)
        change.tell(event)


def put_run(connection: Connection, key: str, inputs: Sequence[str], time: datetime) -> None:
    """Write a run that has just begun; the same input named twice counts once."""
    connection.execute(_NEW_RUN, {"key": key, "begun": write_time(time)})
    names = list(dict.fromkeys(storable(name) for name in inputs))
    if names:
        rows = [{"run": key, "position": position, "name": name} for position, name in enumerate(names)]
        connection.execute(_NEW_INPUTS, rows)


def mark_input(connection: Connection, key: str, name: str, reading: str) -> None:
    """Record that an input of the run was read; `WrongUsage` when the run has no such input."""
    changed = connection.execute(_INPUT_READ, {"of_run": key, "named": storable(name), "read_as": reading})
    if changed.rowcount != 1:
        raise WrongUsage(f"run {key} has no input {name}", way_out="begin the run with all its inputs")


def mark_ended(connection: Connection, key: str, case: str, time: datetime) -> None:
    """Record that the run has led to a case; `WrongUsage` when there is no such run."""
    changed = connection.execute(_ENDED, {"run": key, "at": write_time(time), "led_to": storable(case)})
    if changed.rowcount != 1:
        raise WrongUsage(f"there is no run {key}", way_out="begin the run first")

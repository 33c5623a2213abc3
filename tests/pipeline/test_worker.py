"""What a worker does with a job that fails: damaged data costs an attempt, a store that is away costs none."""

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from casemate.core.alert import Alert, Delivery, Job, JobState
from casemate.core.errors import StoreFailed
from casemate.core.marking import Marking
from casemate.pipeline import worker
from casemate.pipeline.worker import Worker
from casemate.policy import Limits
from casemate.store import Store, owner_name

from .conftest import ToolsFor

LIMITS = Limits(store_wait_seconds=0.2, job_attempts=2)


def deliver(store: Store, words: str, severity: int) -> None:
    alert = Alert(b'{"full_log": "%s"}' % words.encode(), words, "host", words, "json", severity, None)
    store.queue().receive([Delivery("sensor", Marking.GREEN, "", True, (alert,))])


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(statement)


def work_until(store: Store, tools_for: ToolsFor, ended: int) -> Counter[str]:
    """Run a worker until so many jobs have ended, and count what it told."""
    told: Counter[str] = Counter()
    stopping = threading.Event()

    def tell(what: str, _job: Job) -> None:
        told[what] += 1
        if told["done"] + told["dead"] + told["lost"] == ended:
            stopping.set()

    Worker(store, tools_for(limits=LIMITS), stopping, tell).run()
    return told


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("UPDATE delivery_parts SET data = x'00' WHERE delivery = 1", "delivery 1 is damaged in the store"),
        ("UPDATE readings SET data = x'00'", "is damaged in the store"),
    ],
)
def test_a_job_whose_data_is_damaged_becomes_a_dead_letter_and_the_others_are_done(
    tmp_path: Path, tools_for: ToolsFor, damage: str, reason: str
):
    file = tmp_path / "c.sqlite"
    with Store.open(f"sqlite:///{file}", limits=LIMITS) as store:
        deliver(store, "damaged", 5)
        if "readings" in damage:  # it was read before, and its job was not ended
            assert work_until(store, tools_for, 1)["done"] == 1
            change(file, "UPDATE jobs SET state = 'waiting', attempts = 0")
            for table in ("features", "case_words", "cases", "run_inputs", "runs"):
                change(file, f"DELETE FROM {table}")
        deliver(store, "whole", 2)
        change(file, damage)
        told = work_until(store, tools_for, 2)
        assert told == {"taken": 3, "again": 1, "dead": 1, "done": 1}
        (dead,) = store.cleared(Marking.RED).jobs(JobState.DEAD, 10).rows
        assert (dead.number, dead.attempts) == (1, 2)
        assert reason in dead.reason
        assert "backup" in dead.reason


def test_a_store_that_is_away_costs_no_attempt(tmp_path: Path, tools_for: ToolsFor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.1)
    file = tmp_path / "c.sqlite"
    with Store.open(f"sqlite:///{file}", limits=LIMITS) as store:
        deliver(store, "whole", 5)
        taken = store.queue().take(owner_name("x"))
        assert taken is not None
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            failed: list[StoreFailed] = []

            def work() -> None:
                try:
                    Worker(store, tools_for(limits=LIMITS), threading.Event()).work(*taken)
                except StoreFailed as error:
                    failed.append(error)

            thread = threading.Thread(target=work)
            thread.start()
            thread.join(1)
            assert thread.is_alive(), "it waits, to give the job back"
            other.execute("ROLLBACK")
            thread.join(60)
        assert "locked" in failed[0].message
        again = store.queue().take(owner_name("y"))
        assert again is not None
        assert again[0].attempts == 1


def test_a_lease_is_renewed_while_the_job_takes_long(tmp_path: Path, tools_for: ToolsFor):
    limits = Limits(lease_seconds=0.6)
    with Store.open(f"sqlite:///{tmp_path}/c.sqlite", limits=limits) as store:
        deliver(store, "slow", 5)
        stolen: list[object] = []
        stopping = threading.Event()

        def tell(what: str, _job: Job) -> None:
            if what == "done":
                stopping.set()

        tools = tools_for(limits=limits)

        class Slow:
            """A scanner that takes longer than a lease."""

            def scan(self, text: str, start: int, /):
                threading.Event().wait(1.5)
                stolen.append(store.queue().take("elsewhere/1/y"))
                return tools.scanner.scan(text, start)

        Worker(store, replace(tools, scanner=Slow()), stopping, tell).run()
        assert stolen == [None]
        assert store.queue().counts()["done"] == 1

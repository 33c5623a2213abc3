"""Killed at any moment: nothing that was accepted is lost, nothing is done twice, and the audit chain verifies."""

import collections
import json
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from casemate.core.alert import Delivery, Job, JobState, Resumable
from casemate.core.digest import digest_bytes
from casemate.core.marking import Marking
from casemate.knowledge import Knowledge
from casemate.pipeline.intake import read_alert
from casemate.pipeline.tools import Tools, utc_now
from casemate.pipeline.worker import Worker
from casemate.policy import Limits, Policy
from casemate.stages.extract.scanner import Scanner
from casemate.store import GroupQuery, Page, Store

OF_A_BATCH = 10
FORK = multiprocessing.get_context("fork")
T = TypeVar("T")


def batch(number: int) -> list[bytes]:
    """Make the alerts of one delivery: every third begins a group of its own."""
    lines = []
    for place in range(OF_A_BATCH):
        rule = number * OF_A_BATCH + place if place % 3 == 0 else place
        told = {
            "timestamp": "2026-03-04T05:06:07.000+0000",
            "rule": {"level": 8, "id": str(rule), "description": f"alert of rule {'abcdefghij'[rule % 10]} {rule}"},
            "agent": {"name": f"host-{rule % 7}"},
            "data": {"srcip": f"198.51.100.{number % 250}"},
            "full_log": f"Failed password for root from 198.51.100.{number % 250} port {1000 + place}",
        }
        lines.append(json.dumps(told).encode())
    return lines


def send(url: str, batches: int) -> None:
    """Send what is not stored yet, each delivery under its key, as a client does that got no answer."""
    with Store.open(url) as store:
        for number in range(batches):
            if store.queue().resumable("sensor", f"b{number}") is not None:
                continue
            alerts = tuple(read_alert(line, Limits(), utc_now()) for line in batch(number))
            done = Resumable("sensor", f"b{number}", OF_A_BATCH, digest_bytes(b"%d" % number))
            store.queue().receive([Delivery("sensor", Marking.GREEN, "", True, alerts, done)])


PATIENT = Limits(job_attempts=1_000)
"""Every worker dies here, whatever the job; that a job on which three die becomes a dead letter the store tests."""


def work(
    url: str,
    knowledge_file: Path,
    scanner: Scanner,
    stopping: threading.Event | None = None,
    told: Callable[[str, Job], None] = lambda _what, _job: None,
) -> None:
    with Store.open(url, limits=PATIENT) as store, Knowledge.open(knowledge_file) as knowledge:
        Worker(store, Tools(Policy(), knowledge, scanner), stopping or threading.Event(), told).run()


def kill_at_random_moments(url: str, knowledge_file: Path, moments: int, batches: int) -> None:
    chance = random.Random(moments)
    scanner = Scanner()  # made once: a worker that is still making its own has nothing to lose
    for _ in range(moments):
        busy = FORK.Event()
        at_work = (url, knowledge_file, scanner, None, lambda _what, _job, busy=busy: busy.set())
        children = [FORK.Process(target=send, args=(url, batches)), FORK.Process(target=work, args=at_work)]
        for child in children:
            child.start()
        busy.wait(chance.choice([0.05, 5.0]))
        time.sleep(chance.uniform(0.0, 0.4))
        for child in chance.sample(children, 2):
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
        for child in children:
            child.join(60)
            assert child.exitcode in (0, -signal.SIGKILL)  # a sender may have sent all there is


def check(url: str, knowledge_file: Path, moments: int, batches: int) -> None:
    send(url, batches)
    stopping = threading.Event()
    worker = threading.Thread(target=work, args=(url, knowledge_file, Scanner(), stopping), daemon=True)
    worker.start()
    with Store.open(url) as store:
        seen = store.cleared(Marking.RED)
        end = time.monotonic() + 280
        while store.queue().counts().get("waiting", 0) + store.queue().counts().get("leased", 0):
            assert time.monotonic() < end, store.queue().counts()
            time.sleep(0.5)
        stopping.set()
        worker.join(60)
        assert not worker.is_alive()
        assert store.verify_audit() == ()
        assert seen.jobs(JobState.DEAD, 10).rows == ()
        groups = every(lambda cursor: seen.groups(GroupQuery(), 200, cursor))
        assert sum(group.count for group in groups) == batches * OF_A_BATCH
        assert all(group.case for group in groups)
        assert len({group.case for group in groups}) == len(groups)
        told = collections.Counter((event.action, event.subject) for event in store.audit_events())
        for action in ("case.proposed", "job.done"):
            done = [count for (name, _subject), count in told.items() if name == action]
            assert len(done) == len(groups), f"{action}: {len(done)} of {len(groups)}"
            assert set(done) == {1}, f"{action} more than once"
        again = sum(job.attempts - 1 for job in every(lambda cursor: seen.jobs(None, 200, cursor)))
        assert again >= moments // 4, f"only {again} of {moments} workers died with a job in their hands"


def every(page_at: Callable[[str], Page[T]]) -> list[T]:
    """Read a list to its end."""
    page = page_at("")
    rows = list(page.rows)
    while page.next:
        page = page_at(page.next)
        rows += page.rows
    return rows


def test_killed_at_random_moments_on_postgresql(postgres_url: str, knowledge_file: Path):
    kill_at_random_moments(postgres_url, knowledge_file, 5, 40)
    check(postgres_url, knowledge_file, 5, 40)


@pytest.mark.parametrize(
    ("moments", "batches"), [(5, 40), pytest.param(100, 120, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_killed_at_random_moments(moments: int, batches: int, tmp_path: Path, knowledge_file: Path):
    url = f"sqlite:///{tmp_path}/casemate.sqlite"
    Store.open(url).close()
    kill_at_random_moments(url, knowledge_file, moments, batches)
    check(url, knowledge_file, moments, batches)

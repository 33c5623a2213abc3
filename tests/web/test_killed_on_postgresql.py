"""Several workers, the whole service and PostgreSQL itself killed with -9 under load: 0 lost, 0 done twice."""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Self

import httpx
import pytest

from casemate.core.alert import JobState
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.knowledge import Knowledge
from casemate.pipeline.tools import Tools
from casemate.pipeline.worker import Worker
from casemate.policy import Limits, Policy
from casemate.stages.extract.scanner import Scanner
from casemate.store import GroupQuery, Store
from tests.postgres import Cluster, Server, absent, own_cluster, why_not

from .conftest import token_of
from .test_killed import FORK, PATIENT, every

OF_A_BATCH = 20
FRESH = 4
WORKERS = 2  # beside the one of the service
CLIENTS = 2
LEASE = 10.0
POLICY = f"[limits]\njob_attempts = {PATIENT.job_attempts}\nlease_seconds = {LEASE}\n"


def batch(client: int, number: int) -> bytes:
    """Make the alerts of one delivery: the first few begin a group each, the others join those of every delivery."""
    lines = []
    for place in range(OF_A_BATCH):
        rule = 1000 + FRESH * (CLIENTS * number + client) + place if place < FRESH else place % 5
        told = {
            "rule": {"level": 8, "id": str(rule), "description": f"alert of rule {rule}"},
            "agent": {"name": "host"},
            "full_log": f"Failed password for root from 198.51.100.{number % 250} port {1000 + place}",
        }
        lines.append(json.dumps(told).encode() + b"\n")
    return b"".join(lines)


def work(url: str, knowledge_file: Path, scanner: Scanner) -> None:
    limits = Limits(job_attempts=PATIENT.job_attempts, lease_seconds=LEASE)
    with Store.open(url, limits=limits) as store, Knowledge.open(knowledge_file) as knowledge:
        Worker(store, Tools(Policy(limits=limits), knowledge, scanner), threading.Event()).run()


class Service:
    """`casemate serve` with one worker, in a group of processes of its own, at an address that stays."""

    def __init__(self, url: str, folder: Path, home: Path) -> None:
        (folder / "policy.toml").write_text(POLICY)
        self._command = [sys.executable, "-m", "casemate", "serve", "--policy", f"{folder}/policy.toml", "--port"]
        self._environment = {**os.environ, "CASEMATE_HOME": str(home), "CASEMATE_STORE": url}
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_told: object) -> None:
        self.end(signal.SIGKILL, workers_too=True)

    def start(self) -> None:
        port = self.address.rpartition(":")[2] or "0"
        command = [*self._command, port]
        told = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdout=told, stderr=subprocess.DEVNULL, env=self._environment, start_new_session=True
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().decode().strip().rpartition(" ")[2]
        assert self.address, "the service did not start"

    def end(self, how: signal.Signals, *, workers_too: bool) -> None:
        assert self._process is not None
        (os.killpg if workers_too else os.kill)(self._process.pid, how)
        self._process.wait(120)


class Client(threading.Thread):
    """Sends one delivery after the other, each under its key until it is answered."""

    def __init__(self, name: int, service: Service, token: str) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self.stopping = threading.Event()
        self._client = name
        self._service = service
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}

    def run(self) -> None:
        while not self.stopping.is_set():
            key = {"Idempotency-Key": f"{self._client}-{self.sent}"}
            body = batch(self._client, self.sent)
            while not self._put(body, key):
                time.sleep(0.05)
            self.sent += 1
            time.sleep(0.1)

    def _put(self, body: bytes, key: dict[str, str]) -> bool:
        try:
            answer = httpx.post(
                f"{self._service.address}/api/v1/evidence", content=body, headers=self._headers | key, timeout=60
            )
        except httpx.HTTPError:
            return False  # the service is gone, or is just coming back
        assert answer.status_code in (202, 409, 503), answer.text
        return answer.status_code == 202


def kill_at_random_moments(
    moments: int, chance: random.Random, cluster: Cluster, service: Service, url: str, knowledge_file: Path
) -> tuple[collections.Counter[str], list[ForkProcess]]:
    """Kill, start again what was killed, and leave everything running."""
    scanner = Scanner()  # made once: a worker that is still making its own has nothing to lose

    def begin() -> ForkProcess:
        child = FORK.Process(target=work, args=(url, knowledge_file, scanner), daemon=True)
        child.start()
        return child

    killed: collections.Counter[str] = collections.Counter()
    workers = [begin() for _ in range(WORKERS)]
    kinds = ["worker", "worker", "workers", "service", "service and its worker", "PostgreSQL"]
    for moment in range(moments):
        time.sleep(chance.uniform(0.05, 1.0))
        what = kinds[moment % len(kinds)]
        killed[what] += 1
        if what in ("worker", "workers"):
            for place in range(WORKERS) if what == "workers" else [chance.randrange(WORKERS)]:
                workers[place].kill()
                workers[place].join()
                workers[place] = begin()
        elif what == "PostgreSQL":
            cluster.kill()
            time.sleep(chance.uniform(0.0, 0.5))
            cluster.start()
        else:
            service.end(signal.SIGKILL, workers_too=what != "service")
            service.start()
    return killed, workers


def check(url: str, sent: int, moments: int) -> None:
    with Store.open(url) as store:
        end = time.monotonic() + 280
        while sum(store.queue().counts().get(state, 0) for state in ("waiting", "leased")):
            assert time.monotonic() < end, store.queue().counts()
            time.sleep(0.5)
        seen = store.cleared(Marking.RED)
        assert seen.jobs(JobState.DEAD, 10).rows == ()
        groups = every(lambda cursor: seen.groups(GroupQuery(), 200, cursor))
        assert sum(group.count for group in groups) == sent * OF_A_BATCH
        assert len(groups) == sent * FRESH + 5
        assert len({group.case for group in groups}) == len(groups)
        assert store.count_cases() == len(groups)
        assert store.verify_audit() == ()
        told = collections.Counter((event.action, event.subject) for event in store.audit_events())
        for action in ("case.proposed", "job.done"):
            done = [count for (name, _subject), count in told.items() if name == action]
            assert (len(done), set(done)) == (len(groups), {1}), action
        again = sum(job.attempts - 1 for job in every(lambda cursor: seen.jobs(None, 200, cursor)))
        assert again >= moments // 6, f"only {again} jobs were under way at {moments} moments"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_is_lost_and_nothing_is_done_twice(
    tmp_path: Path, prepared_home: Path, knowledge_file: Path, monkeypatch: pytest.MonkeyPatch
):
    if reason := why_not():
        absent(reason)
    monkeypatch.setenv("CASEMATE_HOME", str(prepared_home))
    moments = int(os.environ.get("CASEMATE_KILLS", "18"))
    with own_cluster() as cluster:
        url = Server(cluster.url, tmp_path / "template").make()
        with Store.open(url) as store:
            token = token_of(store, Role.ANALYST, Marking.AMBER)
        with Service(url, tmp_path, prepared_home) as service:
            clients = [Client(name, service, token) for name in range(CLIENTS)]
            for client in clients:
                client.start()
            chance = random.Random(moments)
            killed, workers = kill_at_random_moments(moments, chance, cluster, service, url, knowledge_file)
            for client in clients:
                client.stopping.set()
            for client in clients:
                client.join(120)
                assert not client.is_alive()
            check(url, sum(client.sent for client in clients), moments)
            for worker in workers:
                worker.kill()
                worker.join()
    assert len(killed) == min(moments, 5)

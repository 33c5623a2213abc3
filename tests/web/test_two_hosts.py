"""Two servers, each with a worker and a data folder of its own, on one PostgreSQL: one queue, one chain, one truth."""

import collections
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import GroupQuery, Store
from casemate.web.passwords import hash_password

from .conftest import PASSWORD, token_of
from .test_killed import every

GROUPS = 40
KEYED = 300
PATIENCE = 120.0
LINES = {"Content-Type": "application/x-ndjson"}


class Host:
    """One server with one worker; what the worker says is kept."""

    def __init__(self, url: str, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "CASEMATE_HOME": str(home), "CASEMATE_STORE": url}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "casemate", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
        )
        assert self._process.stdout is not None
        self.said: list[dict[str, object]] = []
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self.address = self._process.stdout.readline().decode().strip().rpartition(" ")[2]
        assert self.address, "the server did not start"

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with contextlib.suppress(ValueError):
                self.said.append(json.loads(line))

    def jobs(self, what: str) -> list[object]:
        return [line["job"] for line in self.said if line.get("is") == what]

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(90) == 0
        self._listening.join(20)


@pytest.fixture
def hosts(postgres_url: str, prepared_home: Path, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        shutil.copytree(prepared_home, home, symlinks=True)
    with Store.open(postgres_url, homes[0] / "audit") as store:
        token_of(store, Role.ADMIN, Marking.RED, "root")
    (homes[1] / "audit").mkdir()
    for name in ("key", "key.pub"):
        shutil.copy(homes[0] / "audit" / name, homes[1] / "audit" / name)
    pair = Host(postgres_url, homes[0]), Host(postgres_url, homes[1])
    yield pair
    for host in pair:
        host._process.kill()
        host._process.wait()


def follow(address: str, headers: dict[str, str], told: dict[int, str], begun: threading.Event) -> None:
    """Keep the state of every group that the stream of one server tells of."""
    with (
        contextlib.suppress(httpx.HTTPError),  # ended with its server
        httpx.stream("GET", f"{address}/api/v1/changes?since=0", headers=headers, timeout=PATIENCE) as answer,
    ):
        begun.set()
        for line in answer.iter_lines():
            if line.startswith("data: ") and "number" in (group := json.loads(line[6:])):
                told[group["number"]] = group["state"]


def alert(number: int) -> bytes:
    record = {
        "rule": {"level": 8, "id": str(number), "description": f"alert of rule {number}"},
        "agent": {"name": f"host-{number}"},
        "full_log": f"Failed password for root from 198.51.100.{number} port {4000 + number}",
    }
    return json.dumps(record).encode() + b"\n"


def send_the_same_to_both(hosts: tuple[Host, Host], headers: dict[str, str]) -> None:
    """Send one request to both servers at once, and to the one that refused it once more, as a client does."""
    body = b"".join(alert(GROUPS) for _ in range(KEYED))
    keyed = headers | LINES | {"Idempotency-Key": "the same"}

    def send(host: Host) -> int:
        return httpx.post(f"{host.address}/api/v1/evidence", content=body, headers=keyed, timeout=60).status_code

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(send, hosts))
    assert 202 in answers
    assert set(answers) <= {202, 409}
    assert [send(host) for host in hosts] == [202, 202]


@pytest.mark.slow
def test_two_hosts_share_the_work_and_tell_one_truth(hosts: tuple[Host, Host], postgres_url: str):
    one, two = hosts
    with Store.open(postgres_url, one.home / "audit") as store:
        headers = {"Authorization": f"Bearer {token_of(store, Role.ADMIN, Marking.RED, 'ada')}"}
        store.people().add("test", "grace", Role.ANALYST, Marking.RED, hash_password(PASSWORD))
        store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
        told: tuple[dict[int, str], dict[int, str]] = ({}, {})
        for host, kept in zip(hosts, told, strict=True):
            begun = threading.Event()
            threading.Thread(target=follow, args=(host.address, headers, kept, begun), daemon=True).start()
            assert begun.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while not all(any(line.get("is") == "ready" for line in host.said) for host in hosts):
            assert time.monotonic() < end, "a worker did not start"
            time.sleep(0.05)
        for host, numbers in ((one, range(0, GROUPS, 2)), (two, range(1, GROUPS, 2))):
            body = b"".join(map(alert, numbers))
            answer = httpx.post(f"{host.address}/api/v1/evidence", content=body, headers=headers | LINES, timeout=60)
            assert answer.json()["opened"] == GROUPS // 2
        send_the_same_to_both(hosts, headers)
        while not all(list(kept.values()).count("ready") == GROUPS + 1 for kept in told):
            assert time.monotonic() < end, "not every group became ready in both streams"
            time.sleep(0.1)
        browser = httpx.Client(base_url=one.address)
        assert browser.post("/sign-in", data={"name": "grace", "password": PASSWORD}).status_code == 303
        cookie = {"casemate_session": browser.cookies["casemate_session"]}
        assert httpx.get(f"{two.address}/api/v1/me", cookies=cookie).json()["name"] == "grace"
        both = [httpx.get(f"{host.address}/api/v1/groups?limit=200", headers=headers).json() for host in hosts]
        assert both[0] == both[1]
        for host in hosts:
            host.end()
        done = [host.jobs("done") for host in hosts]
        assert all(done), "both workers worked"
        assert collections.Counter(done[0] + done[1]) == collections.Counter(range(1, GROUPS + 2)), "each job once"
        assert [host.jobs("lost") + host.jobs("dead") for host in hosts] == [[], []]
        groups = every(lambda cursor: store.cleared(Marking.RED).groups(GroupQuery(), 200, cursor))
        assert sum(group.count for group in groups) == GROUPS + KEYED
        assert len({group.case for group in groups}) == store.count_cases() == GROUPS + 1
    for host in hosts:
        verify = [sys.executable, "-m", "casemate", "audit", "verify"]
        verified = subprocess.run(verify, env=host.environment, capture_output=True, text=True, check=False)
        assert "the audit chain verifies" in verified.stdout, verified.stdout + verified.stderr
        assert len((host.home / "audit" / "checkpoints.jsonl").read_text().splitlines()) > GROUPS // 8

"""The whole service as a user starts it: killed while a client streams, and stopped politely."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import GroupQuery, Store

from .conftest import token_of

LINES = 30_000
KILLS = 4


def start(url: str, home: Path) -> tuple["subprocess.Popen[bytes]", str]:
    command = [sys.executable, "-m", "casemate", "serve", "--port", "0", "--store", url]
    environment = {**os.environ, "CASEMATE_HOME": str(home)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdout is not None
    return process, process.stdout.readline().decode().strip().rpartition(" ")[2]


def body(pause: float):
    for number in range(LINES):
        record = {"rule": {"level": 5, "id": str(number % 5)}, "agent": {"name": "h"}, "full_log": f"said {number}"}
        yield json.dumps(record).encode() + b"\n"
        if number % 1000 == 0:
            time.sleep(pause)


def send(address: str, token: str, pause: float, answers: list[httpx.Response]) -> None:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "all", "Content-Type": "application/x-ndjson"}
    with contextlib.suppress(httpx.HTTPError):  # the server is gone: sent again under the same key
        answers.append(httpx.post(f"{address}/api/v1/evidence", content=body(pause), headers=headers, timeout=250))


@contextlib.contextmanager
def serving(url: str, home: Path):
    process, address = start(url, home)
    try:
        yield process, address
    finally:
        process.kill()
        process.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_server_is_killed_while_a_client_streams(tmp_path: Path, prepared_home: Path):
    url = f"sqlite:///{tmp_path}/casemate.sqlite"
    with Store.open(url) as store:
        token = token_of(store, Role.ANALYST, Marking.AMBER)
    chance = random.Random(5)
    answers: list[httpx.Response] = []
    for _ in range(KILLS):
        with serving(url, prepared_home) as (_process, address):
            sender = threading.Thread(target=send, args=(address, token, 0.2, answers), daemon=True)
            sender.start()
            time.sleep(chance.uniform(0.5, 4.0))
        sender.join(300)
        assert not sender.is_alive()
    with serving(url, prepared_home) as (process, address):
        send(address, token, 0.0, answers)
        assert answers[-1].status_code == 202
        assert answers[-1].json()["alerts"] == LINES
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            end = time.monotonic() + 200
            while any(group["state"] == "waiting" for group in client.get("/api/v1/groups").json()["items"]):
                assert time.monotonic() < end
                time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    with Store.open(url) as store:
        groups = store.cleared(Marking.RED).groups(GroupQuery(open=None), 100).rows
        assert sum(group.count for group in groups) == LINES
        assert len({group.case for group in groups}) == len(groups) == 5
        assert store.verify_audit() == ()

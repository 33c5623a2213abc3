"""The store cannot be used for a while: a clear answer meanwhile, then everything goes on by itself, nothing lost."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.knowledge import Knowledge
from casemate.pipeline.tools import Tools
from casemate.pipeline.worker import Worker
from casemate.policy import Limits, Policy
from casemate.stages.extract.scanner import Scanner
from casemate.store import GroupQuery, Store
from casemate.web.app import make_app
from casemate.web.site import Site
from tests.postgres import Server, absent, own_cluster, why_not

from .conftest import token_of

SHORT = Limits(store_wait_seconds=0.3)


def line(number: int) -> bytes:
    return b'{"rule": {"level": 5, "id": "%d"}, "agent": {"name": "h"}, "full_log": "said %d"}\n' % (number, number)


def post(client: TestClient, number: int) -> int:
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f"k{number}"}
    answer = client.post("/api/v1/evidence", content=line(number), headers=headers)
    if answer.status_code == 503:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"]
        assert answer.json()["way_out"]
        assert "Traceback" not in answer.text
    return answer.status_code


def post_until_taken(client: TestClient, number: int) -> None:
    """Send again as the answer 503 asks for: a worker may be writing for longer than `SHORT` lets a request wait."""
    wait_for(lambda: post(client, number) == 202)


@contextmanager
def serving(store: Store) -> Iterator[TestClient]:
    with TestClient(make_app(Site(store, Policy(limits=SHORT), hosts=())), raise_server_exceptions=True) as client:
        client.headers["Authorization"] = f"Bearer {token_of(store, Role.ADMIN, Marking.RED)}"
        yield client


@contextmanager
def working(store: Store, knowledge_file: Path) -> Iterator[None]:
    stopping = threading.Event()
    with Knowledge.open(knowledge_file) as knowledge:
        worker = Worker(store, Tools(Policy(), knowledge, Scanner()), stopping)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(120)
            assert not thread.is_alive()


def wait_for(done: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


def check(store: Store, sent: int) -> None:
    wait_for(lambda: store.queue().counts().get("done", 0) == sent)
    groups = store.cleared(Marking.RED).groups(GroupQuery(), 100).rows
    assert sum(group.count for group in groups) == sent
    assert all(group.case for group in groups)
    assert "dead" not in store.queue().counts()
    assert store.verify_audit() == ()


@pytest.mark.parametrize("how", ["immediate", "fast"])
def test_postgresql_is_restarted_under_server_and_worker(
    how: str, tmp_path: Path, knowledge_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := why_not():
        absent(reason)
    monkeypatch.setenv("CASEMATE_HOME", str(tmp_path))
    with own_cluster() as cluster:
        url = Server(cluster.url, tmp_path / "template").make()
        with Store.open(url) as store, serving(store) as client, working(store, knowledge_file):
            assert [post(client, number) for number in range(3)] == [202] * 3
            cluster.stop(how)
            assert post(client, 3) == 503
            assert client.get("/api/v1/cases").status_code == 503
            said = TestClient(client.app).get("/healthz")
            assert said.status_code == 503
            assert str(cluster.url.query["host"]) not in said.text, "where the store is, is nothing for a stranger"
            cluster.start()
            for number in range(3, 6):
                post_until_taken(client, number)
            check(store, 6)
            assert client.get("/healthz").status_code == 200


def test_another_process_keeps_the_file_locked(tmp_path: Path, knowledge_file: Path) -> None:
    with (
        Store.open(f"sqlite:///{tmp_path}/c.sqlite", limits=SHORT) as store,
        serving(store) as client,
        working(store, knowledge_file),
    ):
        post_until_taken(client, 0)
        other = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None, timeout=60)
        other.execute("BEGIN EXCLUSIVE")
        assert post(client, 1) == 503
        assert client.get("/healthz").status_code == 200, "reading goes on"
        other.execute("ROLLBACK")
        other.close()
        post_until_taken(client, 1)
        check(store, 2)


def test_the_file_of_checkpoints_cannot_be_written_for_a_while(tmp_path: Path, knowledge_file: Path) -> None:
    checkpoints = tmp_path / "audit" / "checkpoints.jsonl"
    with Store.open(f"sqlite:///{tmp_path}/c.sqlite", limits=SHORT) as store, serving(store) as client:
        whole = checkpoints.read_text()
        checkpoints.unlink()
        checkpoints.mkdir()
        with working(store, knowledge_file):
            assert [post(client, number) for number in range(3)] == [202] * 3, "what is stored is accepted"
            wait_for(lambda: store.queue().counts().get("done", 0) == 3)
            told = client.get("/healthz")
            assert (told.status_code, told.json()["checkpoints"]) == (200, "behind")
            assert str(tmp_path) not in told.text, "anybody may ask"
            checkpoints.rmdir()
            checkpoints.write_text(whole)
            assert client.get("/healthz").json()["checkpoints"] == "written"
            assert post(client, 3) == 202
            check(store, 4)


def test_the_disk_is_full_for_a_while(tmp_path: Path, knowledge_file: Path) -> None:
    room = {"pages": 2**30}
    with Store.open(f"sqlite:///{tmp_path}/c.sqlite", limits=SHORT) as store, serving(store) as client:
        engine = store._database._engine
        event.listen(engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count = {room['pages']}"))
        assert post(client, 0) == 202
        room["pages"] = 1  # SQLite takes the least that holds what is there
        sent = 1
        while (status := post(client, sent)) == 202:
            sent += 1
            assert sent < 500
        assert status == 503
        assert client.get("/api/v1/cases").status_code == 200, "reading goes on"
        room["pages"] = 2**30
        assert post(client, sent) == 202
        with working(store, knowledge_file):
            check(store, sent + 1)

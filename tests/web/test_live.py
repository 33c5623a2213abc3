"""Live updates over a real server: the inbox follows the queue, and many listeners leave room for others."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from casemate.core.alert import Alert, Delivery
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import Store
from casemate.web.passwords import hash_password
from tests.store.samples import NOW

from .chromium import Browser
from .conftest import PASSWORD, token_of
from .test_browser import browser

__all__ = ["browser"]

LISTENERS = 60  # more than the threads that answer requests
PATIENCE = 60.0


@pytest.fixture
def live(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        thread.join(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    app.state.stopping.set()
    server.should_exit = True
    thread.join(PATIENCE)
    assert not thread.is_alive(), "a stream of changes must not hold up the end"


def arrive(store: Store, *rules: str) -> None:
    alerts = tuple(Alert(b"{}", rule, "web01", rule, "wazuh", 4, NOW) for rule in rules)
    store.queue().receive([Delivery("sensor", Marking.GREEN, "wazuh", True, alerts)])


@pytest.mark.slow
def test_many_listeners_leave_room_and_end_with_the_service(store: Store, app: FastAPI, live: str):
    headers = {"Authorization": f"Bearer {token_of(store, Role.READER, Marking.RED)}"}

    async def listen(client: httpx.AsyncClient, begun: "asyncio.Semaphore") -> str:
        said = ""
        async with client.stream("GET", "/api/v1/changes", params={"since": 0}, headers=headers) as answer:
            async for text in answer.aiter_text():
                said += text
                if "event: group" in said and begun.locked():
                    begun.release()
        return said

    async def listen_all() -> tuple[list[str], int]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=live, timeout=PATIENCE, limits=limits) as client:
            begun = asyncio.Semaphore(0)
            tasks = [asyncio.create_task(listen(client, begun)) for _ in range(LISTENERS)]
            arrive(store, "first")
            await asyncio.wait_for(begun.acquire(), PATIENCE)
            answered = (await client.get("/healthz")).status_code
            app.state.stopping.set()
            return list(await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)), answered

    said, answered = asyncio.run(listen_all())
    assert answered == 200
    assert len(said) == LISTENERS
    assert all(text.startswith("retry:") for text in said)


@pytest.mark.slow
def test_a_stream_that_broke_goes_on_after_the_last_event(store: Store, live: str):
    headers = {"Authorization": f"Bearer {token_of(store, Role.READER, Marking.RED)}"}

    def events(last: str, count: int) -> list[tuple[str, str]]:
        told: list[tuple[str, str]] = []
        number = ""
        asked = headers | ({"Last-Event-ID": last} if last else {})
        with httpx.stream("GET", f"{live}/api/v1/changes?since=0", headers=asked, timeout=PATIENCE) as answer:
            for line in answer.iter_lines():
                number = line[4:] if line.startswith("id: ") else number
                if line.startswith("data: "):
                    told.append((number, json.loads(line[6:])["rule"]))
                if len(told) == count:
                    break
        return told

    for rule in ("one", "two", "three"):
        arrive(store, rule)
    first = events("", 2)
    assert [rule for _number, rule in first] == ["one", "two"]
    arrive(store, "four")
    assert [rule for _number, rule in events(first[-1][0], 2)] == ["three", "four"], "nothing twice, nothing left out"


@pytest.mark.slow
def test_a_stream_that_broke_within_a_delivery_begins_that_one_again(store: Store, live: str):
    headers = {"Authorization": f"Bearer {token_of(store, Role.READER, Marking.RED)}"}
    arrive(store, "before")
    arrive(store, "one", "two", "three")

    def heard(last: str, count: int) -> tuple[list[str], str]:
        rules: list[str] = []
        asked = headers | ({"Last-Event-ID": last} if last else {})
        with httpx.stream("GET", f"{live}/api/v1/changes?since=0", headers=asked, timeout=PATIENCE) as answer:
            for line in answer.iter_lines():
                last = line[4:] if line.startswith("id: ") else last
                if line.startswith("data: "):
                    rules.append(json.loads(line[6:])["rule"])
                if len(rules) == count:
                    break
        return rules, last

    first, last = heard("", 2)
    assert first[0] == "before"
    again, last = heard(last, 3)
    assert set(again) == {"one", "two", "three"}, "what came with what was heard is not lost"
    arrive(store, "after")
    assert heard(last, 1)[0] == ["after"]


@pytest.mark.browser
@pytest.mark.slow
def test_the_inbox_follows_the_queue(store: Store, live: str, browser: Browser):
    store.people().add("test", "grace", Role.ANALYST, Marking.RED, hash_password(PASSWORD))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    value, _session = store.people().sign_in("grace")
    browser.call("Network.setCookie", name="casemate_session", value=value, url=live)
    arrive(store, "the first rule")
    browser.open(live + "/")
    assert "the first rule" in browser.value("document.getElementById('list').innerText")
    end = time.monotonic() + PATIENCE
    number = 0
    while "a later rule" not in browser.value("document.getElementById('list').innerText"):
        assert time.monotonic() < end, "the inbox did not change"
        arrive(store, f"a later rule {number}")  # again: the first may come before the browser listens
        number += 1
        time.sleep(2)
    assert "Updated" in browser.value("document.getElementById('news').innerText")
    browser.open("about:blank")

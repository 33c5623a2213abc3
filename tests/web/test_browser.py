"""The pages in a real browser: nothing is refused, sentences light up, keys work; `make screenshots` keeps pictures."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from casemate.core.case import Case
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Baseline, Policy, Price
from casemate.store import Store
from casemate.web.app import make_app
from casemate.web.passwords import hash_password
from casemate.web.site import Site

from .chromium import Browser, find_chromium
from .conftest import PASSWORD
from .history import store_history
from .sample import store_sample

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
MOST_BYTES = 300_000
Views = tuple[tuple[int, int, str], ...]
FOUR: Views = ((1280, 900, "light"), (1280, 900, "dark"), (390, 844, "light"), (390, 844, "dark"))
TWO: Views = ((1280, 900, "light"), (390, 844, "dark"))
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture
def measured(store: Store, url: str) -> FastAPI:
    """Make a site that has measured for twelve weeks what proposals save."""
    baseline = Baseline(share=0.5, spare_priority=1, least_cases=20)
    store_history(url, 96, baseline)
    price = Price("a hosted model", prompt_million=3.0, generated_million=15.0)
    return make_app(Site(store, Policy(baseline=baseline, prices=(price,)), hosts=()))


@pytest.fixture
def served(app: FastAPI) -> Iterator[str]:
    with serving(app) as address:
        yield address


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    app.state.stopping.set()  # a stream of changes ends after what there is
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        if os.environ.get("CASEMATE_REQUIRE_BROWSER"):
            pytest.fail("CASEMATE_REQUIRE_BROWSER is set and there is no Chromium")
        pytest.skip("no Chromium on this machine")
    with Browser(program, tmp_path / "profile") as opened:
        yield opened


@pytest.mark.browser
@pytest.mark.slow
def test_the_board_of_a_site_that_measures(measured: FastAPI, store: Store, browser: Browser, tmp_path: Path):
    store.people().add("test", "grace", Role.ANALYST, Marking.RED, hash_password(PASSWORD))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    value, _session = store.people().sign_in("grace")
    folder = PICTURES if os.environ.get("CASEMATE_SCREENSHOTS") else tmp_path
    with serving(measured) as served:
        browser.call("Network.setCookie", name="casemate_session", value=value, url=served)
        _look(browser, served, folder, "board", "/board", ((1280, 1500, "light"), (390, 1500, "dark")))
        told = browser.value("document.body.innerText")
        assert "a case took" in told.casefold(), "a picture of a board on which nothing happened shows nothing"
        assert "drifted" in told
    assert browser.complaints() == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_person_reads_a_case_and_decides(store: Store, served: str, browser: Browser, tmp_path: Path):
    made = store_sample(store)
    store.people().add("test", "grace", Role.ANALYST, Marking.RED, hash_password(PASSWORD))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    value, _session = store.people().sign_in("grace")
    browser.call("Network.setCookie", name="casemate_session", value=value, url=served)
    folder = PICTURES if os.environ.get("CASEMATE_SCREENSHOTS") else tmp_path
    folder.mkdir(exist_ok=True)
    at = made.findings[0].citations[0].span
    _look(browser, served, folder, "inbox", "/", FOUR)
    _look(browser, served, folder, "case", f"/cases/{made.id}", FOUR)
    _look(browser, served, folder, "evidence", f"/cases/{made.id}/evidence/{at.evidence}?at={at.start}", TWO)
    _sentences_light_up(browser, served, made)
    _keys_decide(browser, made, store)
    _look(browser, served, tmp_path, "board", "/board", TWO)
    assert browser.complaints() == []


def _look(browser: Browser, served: str, folder: Path, name: str, path: str, views: Views) -> None:
    for width, height, scheme in views:
        browser.show(width, height, scheme)
        browser.open(served + path)
        assert browser.value(OVERFLOWS) is False, f"{name} is wider than {width}"
        shot = folder / f"{name}-{width}-{scheme}.png"
        browser.shot(shot)
        assert 5_000 < shot.stat().st_size < MOST_BYTES


def _sentences_light_up(browser: Browser, served: str, made: Case) -> None:
    browser.show(1280, 900, "light")
    browser.open(f"{served}/cases/{made.id}")
    lit = "getComputedStyle(document.querySelector('.anchor.e1 + mark')).outlineStyle"
    assert browser.value(lit) == "none"
    browser.value("document.querySelector('.s1 a.says').focus()")
    assert browser.value(lit) == "solid"


def _keys_decide(browser: Browser, made: Case, store: Store) -> None:
    browser.press("j")
    assert browser.value("document.activeElement.id") == f"f-{made.findings[0].id}"
    browser.press("j")
    browser.press("e")
    assert browser.value("document.activeElement.name") == "wording"
    browser.value("document.activeElement.blur()")
    browser.events.clear()
    browser.press("a")
    browser.wait("Page.loadEventFired")
    decided = store.case(made.id)
    assert decided is not None
    assert list(decided.verdicts()) == [made.findings[1].id]

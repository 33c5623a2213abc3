"""A second person, and who may be one: by API, by page, by any token or session of one account."""

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from casemate.core.assessment import Disposition
from casemate.core.case import State
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Policy, Raci, Reviewing
from casemate.policy.roles import RIGHTS
from casemate.stages.export import FORMATS
from casemate.store import Store
from casemate.web.app import make_app
from casemate.web.passwords import hash_password
from casemate.web.site import Site

from .conftest import PASSWORD, Planted, token_of

POLICY = Policy(
    review=Reviewing(
        four_eyes_dispositions=(Disposition.FALSE_POSITIVE,),
        raci=(Raci(accountable=(Role.ANALYST, Role.REVIEWER), informed=(Role.READER,)),),
    )
)
DECIDE = {"revision": 1, "disposition": "false-positive", "reason": "a scanner"}


@pytest.fixture
def app(store: Store) -> FastAPI:
    return make_app(Site(store, POLICY, hosts=()))


@pytest.fixture
def path(planted: dict[Marking, Planted]) -> str:
    return f"/api/v1/cases/{planted[Marking.AMBER].case_id}"


def client_of(app: FastAPI, token: str) -> TestClient:
    return TestClient(app, headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)


def test_the_second_person_is_another_one_under_any_token_or_session(app: FastAPI, store: Store, path: str):
    grace = client_of(app, token_of(store, Role.ANALYST, Marking.RED, "grace"))
    answer = grace.post(f"{path}/reviews", json=DECIDE)
    assert (answer.status_code, answer.json()["state"]) == (201, "awaiting-second")
    shown = grace.get(path).json()
    assert (shown["reviewed"], shown["disposition"], shown["duties"]["second"]) == (False, "false-positive", True)
    confirm = {"revision": 2, "answer": "confirmed"}
    other_token = client_of(app, store.people().add_token("test", "grace", "another", RIGHTS))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    browser = TestClient(app, follow_redirects=False)
    browser.post("/sign-in", data={"name": "grace", "password": PASSWORD})
    key = {"X-CSRF-Token": browser.get("/api/v1/me").json()["form_key"]}
    for client, headers in ((grace, {}), (other_token, {}), (browser, key)):
        for given in (confirm, {"revision": 2, "answer": "sent-back", "reason": "r"}):
            refused = client.post(f"{path}/reviews", json=given, headers=headers)
            assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
            assert "analyst, reviewer" in refused.json()["way_out"]
    form = {"form_key": key["X-CSRF-Token"], "revision": "2", "answer": "confirmed"}
    assert browser.post(f"{path.removeprefix('/api/v1')}/review", data=form).status_code == 403
    admin = client_of(app, token_of(store, Role.ADMIN, Marking.RED, "root"))
    assert admin.post(f"{path}/reviews", json=confirm).status_code == 403, "not accountable"
    below = client_of(app, token_of(store, Role.ANALYST, Marking.GREEN, "low"))
    assert below.post(f"{path}/reviews", json=confirm).status_code == 404, "not cleared"
    bob = client_of(app, token_of(store, Role.REVIEWER, Marking.AMBER, "bob"))
    assert bob.post(f"{path}/reviews", json={**confirm, "revision": 1}).status_code == 409
    assert bob.post(f"{path}/reviews", json={**confirm, "disposition": "undetermined"}).status_code == 400
    done = bob.post(f"{path}/reviews", json=confirm)
    assert (done.status_code, done.json()["state"]) == (201, "closed")
    assert bob.post(f"{path}/reviews", json={"revision": 3, "answer": "confirmed"}).status_code == 409
    last = [event for event in store.history(path.rpartition("/")[2]) if event.action == "case.reviewed"][-1]
    body = dict(last.body)
    assert (last.actor, body["answer"], body["state"], body["informed"]) == ("bob", "confirmed", "closed", "reader")
    assert store.verify_audit() == ()


def test_the_figures_count_a_decision_when_it_is_confirmed(app: FastAPI, store: Store, path: str):
    grace = client_of(app, token_of(store, Role.ANALYST, Marking.RED, "grace"))
    bob = client_of(app, token_of(store, Role.REVIEWER, Marking.RED, "bob"))
    grace.post(f"{path}/reviews", json=DECIDE)
    seen = store.cleared(Marking.RED)
    assert seen.board(14).days[-1].decided == 0
    bob.post(f"{path}/reviews", json={"revision": 2, "answer": "confirmed"})
    assert sum(day.decided for day in seen.board(14).days) == 1


def test_every_export_says_unreviewed_until_it_is_confirmed(app: FastAPI, store: Store, path: str):
    grace = client_of(app, token_of(store, Role.ANALYST, Marking.RED, "grace"))
    bob = client_of(app, token_of(store, Role.REVIEWER, Marking.RED, "bob"))
    grace.post(f"{path}/reviews", json=DECIDE)
    awaiting = {name: grace.get(f"{path}/export", params={"format": name}).text for name in FORMATS}
    assert not [name for name, text in awaiting.items() if "unreviewed" not in text.casefold() and name != "json"]
    assert json.loads(awaiting["json"])["reviewed"] is False
    bob.post(f"{path}/reviews", json={"revision": 2, "answer": "confirmed"})
    done = {name: grace.get(f"{path}/export", params={"format": name}).text for name in FORMATS}
    assert json.loads(done["json"])["reviewed"] is True
    for name in ("text", "markdown", "html"):
        assert "UNREVIEWED DRAFT" not in done[name]
        assert "confirmed by" in done[name]


def test_the_page_says_who_is_awaited_and_lets_them_confirm_or_send_back(
    app: FastAPI, store: Store, planted: dict[Marking, Planted], path: str
):
    page = path.removeprefix("/api/v1")
    browsers = {}
    for name, role in (("grace", Role.ANALYST), ("bob", Role.REVIEWER), ("rae", Role.READER)):
        store.people().add("test", name, role, Marking.RED, hash_password(PASSWORD))
        store.people().set_password("test", name, hash_password(PASSWORD), first=False)
        browsers[name] = TestClient(app, follow_redirects=False)
        browsers[name].post("/sign-in", data={"name": name, "password": PASSWORD})
    keys = {name: one.get("/api/v1/me").json()["form_key"] for name, one in browsers.items()}
    decide = {"form_key": keys["grace"], "revision": "1", "disposition": "false-positive"}
    assert browsers["grace"].post(f"{page}/review", data=decide).status_code == 303
    texts = {name: one.get(page).text for name, one in browsers.items()}
    assert all("Awaiting a second person" in text and "UNREVIEWED DRAFT" in text for text in texts.values())
    assert all("A second person has not confirmed it yet" in text for text in texts.values())
    assert not [text for text in texts.values() if "No person has decided" in text]
    assert [name for name, text in texts.items() if 'value="confirmed"' in text] == ["bob"]
    back = {"form_key": keys["bob"], "revision": "2", "answer": "sent-back"}
    assert browsers["bob"].post(f"{page}/review", data=back).status_code == 400, "a reason is needed"
    assert browsers["bob"].post(f"{page}/review", data=back | {"reason": "which host?"}).status_code == 303
    case = store.case(planted[Marking.AMBER].case_id)
    assert case is not None
    assert case.state is State.IN_REVIEW
    decide["revision"] = "3"
    browsers["grace"].post(f"{page}/review", data=decide)
    assert browsers["rae"].get("/cases", params={"state": "awaiting-second"}).text.count("data-row") == 1
    assert browsers["bob"].post(f"{page}/review", data={**back, "revision": "4", "answer": "odd"}).status_code == 400
    good = {**back, "revision": "4", "answer": "confirmed"}
    assert browsers["bob"].post(f"{page}/review", data=good).status_code == 303
    text = browsers["rae"].get(page).text
    assert "confirmed by <strong>bob</strong>" in text
    assert "UNREVIEWED" not in text


def test_whom_the_policy_informs_is_told_in_the_stream_of_changes(app: FastAPI, store: Store, path: str, planted):
    app.state.stopping.set()
    from casemate.store import owner_name

    case = store.case(planted[Marking.AMBER].case_id)
    assert case is not None
    store.queue().retry("test", planted[Marking.AMBER].number)
    taken = store.queue().take(owner_name("test"))
    assert taken is not None
    store.queue().finish(taken[1], case)
    grace = client_of(app, token_of(store, Role.ANALYST, Marking.RED, "grace"))
    rae = client_of(app, token_of(store, Role.READER, Marking.RED, "rae"))
    low = client_of(app, token_of(store, Role.READER, Marking.GREEN, "low"))
    answer = grace.post(f"{path}/reviews", json={"revision": 1, "disposition": "true-positive"})
    assert answer.json()["state"] == "closed"
    assert case.id in rae.get("/api/v1/changes?since=0").text.partition("event: informed")[2]
    assert "event: informed" not in grace.get("/api/v1/changes?since=0").text
    assert "event: informed" not in low.get("/api/v1/changes?since=0").text

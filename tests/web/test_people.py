"""Accounts over HTTP: what an administrator may do to whom, by API and by page."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from casemate.core.errors import InConflict
from casemate.core.marking import Marking
from casemate.core.person import Right, Role
from casemate.store import Store
from casemate.web.passwords import hash_password

from .conftest import PASSWORD, token_of
from .test_pages import Page, sign_in

PEOPLE = "/api/v1/people"


def actions(store: Store, name: str) -> list[str]:
    return [event.action for event in store.history(name)]


def test_an_account_is_made_changed_and_told_of(ada: TestClient, store: Store, app: FastAPI):
    made = ada.post(PEOPLE, json={"name": "grace", "role": "analyst", "clearance": "green"})
    assert made.status_code == 201
    browser = TestClient(app, follow_redirects=False)
    answer = browser.post("/sign-in", data={"name": "grace", "password": made.json()["password"]})
    assert answer.headers["location"] == "/password", "a first password must be changed"
    assert ada.patch(f"{PEOPLE}/grace", json={"clearance": "amber"}).json()["clearance"] == "amber"
    assert browser.get("/api/v1/me").status_code == 401, "a changed account has no session any more"
    renewed = ada.post(f"{PEOPLE}/grace/password").json()["password"]
    assert renewed != made.json()["password"]
    assert browser.post("/sign-in", data={"name": "grace", "password": renewed}).status_code == 303
    assert ada.delete(f"{PEOPLE}/grace/sessions").status_code == 204
    assert browser.get("/api/v1/me").status_code == 401
    assert ada.patch(f"{PEOPLE}/grace", json={"disabled": True}).json()["disabled"] is True
    assert browser.post("/sign-in", data={"name": "grace", "password": renewed}).status_code == 401
    assert ada.patch(f"{PEOPLE}/grace", json={}).status_code == 200
    told = [one for one in actions(store, "grace") if one != "person.signed-in"]
    assert told == ["person.added", "person.changed", "person.password-set", "person.sessions-ended", "person.changed"]
    assert {event.actor for event in store.history("grace")} == {"admin-red", "grace"}
    assert made.json()["password"] not in str([event.body for event in store.history("grace")])


def test_a_token_is_issued_with_scopes_and_revoked(ada: TestClient, store: Store, app: FastAPI):
    assert ada.post(PEOPLE, json={"name": "sensor", "role": "analyst", "password": False}).json()["password"] == ""
    path = f"{PEOPLE}/sensor/tokens"
    made = ada.post(path, json={"name": "send", "scopes": ["send"], "days": 30})
    assert made.status_code == 201
    program = TestClient(app, headers={"Authorization": f"Bearer {made.json()['value']}"})
    assert program.post("/api/v1/evidence", content=b"x").status_code == 202
    assert program.get("/api/v1/cases").status_code == 403
    (listed,) = ada.get(path).json()["items"]
    assert (listed["name"], listed["scopes"]) == ("send", ["send"])
    assert made.json()["value"] not in ada.get(path).text
    assert ada.post(path, json={"name": "send", "scopes": ["send"]}).status_code == 409
    assert ada.post(path, json={"name": "ops", "scopes": ["operate"]}).status_code == 403, "the role has no such right"
    for wrong in (
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["nobody"]},
        {"name": "a/b", "scopes": ["read"]},
    ):
        assert ada.post(path, json=wrong).status_code == 400
    assert ada.delete(f"{path}/send").status_code == 204
    assert ada.delete(f"{path}/send").status_code == 404
    assert program.post("/api/v1/evidence", content=b"x").status_code == 401
    assert [one for one in actions(store, "sensor") if one.startswith("token")] == ["token.added", "token.removed"]


def test_nobody_gives_more_clearance_than_they_have_or_touches_who_has_more(client: TestClient, store: Store):
    client.headers["Authorization"] = f"Bearer {token_of(store, Role.ADMIN, Marking.GREEN, 'green')}"
    token_of(store, Role.READER, Marking.GREEN, "low")
    token_of(store, Role.ADMIN, Marking.RED, "high")
    assert client.post(PEOPLE, json={"name": "new", "role": "reader", "clearance": "amber"}).status_code == 403
    assert client.patch(f"{PEOPLE}/low", json={"clearance": "red"}).status_code == 403
    assert client.patch(f"{PEOPLE}/green", json={"clearance": "red"}).status_code == 403
    assert [one["name"] for one in client.get(PEOPLE).json()["items"]] == ["green", "low"]
    asked = [
        client.get(f"{PEOPLE}/high"),
        client.patch(f"{PEOPLE}/high", json={"disabled": True}),
        client.post(f"{PEOPLE}/high/password"),
        client.post(f"{PEOPLE}/high/tokens", json={"name": "t", "scopes": ["read"]}),
        client.delete(f"{PEOPLE}/high/tokens/test"),
        client.delete(f"{PEOPLE}/high/sessions"),
        client.get("/people/high"),
        client.post("/people/high", data={"do": "password"}),
    ]
    assert {answer.status_code for answer in asked} == {404}
    assert store.people().find("new") is None
    assert [one.disabled for one in store.people().accounts() if one.name == "high"] == [False]


def test_a_token_gives_no_more_rights_than_it_has(client: TestClient, store: Store):
    token_of(store, Role.ADMIN, Marking.RED, "boss")
    token_of(store, Role.READER, Marking.CLEAR, "rae")
    token_of(store, Role.ADMIN, Marking.CLEAR, "second")
    narrow = store.people().add_token("test", "boss", "narrow", [Right.PEOPLE, Right.READ])
    client.headers["Authorization"] = f"Bearer {narrow}"
    assert client.post(PEOPLE, json={"name": "new", "role": "analyst", "clearance": "clear"}).status_code == 403
    assert client.patch(f"{PEOPLE}/rae", json={"role": "admin"}).status_code == 403
    assert client.post(f"{PEOPLE}/second/password").status_code == 403
    refused = client.post(f"{PEOPLE}/second/tokens", json={"name": "t", "scopes": ["send"]})
    assert refused.status_code == 403
    assert client.post(f"{PEOPLE}/second/tokens", json={"name": "t", "scopes": ["read"]}).status_code == 201
    assert client.post(PEOPLE, json={"name": "new", "role": "reader", "clearance": "clear"}).status_code == 201


def test_the_last_administrator_stays_one(ada: TestClient, store: Store):
    for change in ({"role": "reviewer"}, {"disabled": True}):
        answer = ada.patch(f"{PEOPLE}/admin-red", json=change)
        assert answer.status_code == 409
        assert answer.json()["way_out"] == "make another administrator first"
    with pytest.raises(InConflict):
        store.people().change("root", "admin-red", role=Role.READER)
    store.people().add("test", "sleeping", Role.ADMIN, Marking.RED, None)
    store.people().change("test", "sleeping", disabled=True)
    assert ada.patch(f"{PEOPLE}/admin-red", json={"disabled": True}).status_code == 409, "the other one is disabled"
    assert ada.patch(f"{PEOPLE}/sleeping", json={"disabled": False}).status_code == 200
    assert ada.patch(f"{PEOPLE}/admin-red", json={"role": "reader"}).json()["role"] == "reader"
    assert ada.get(PEOPLE).status_code == 403


def test_names_are_taken_in_letters_of_any_case(ada: TestClient, store: Store):
    assert ada.post(PEOPLE, json={"name": "Grace", "role": "reader"}).status_code == 201
    assert ada.post(PEOPLE, json={"name": "gRACE", "role": "reader"}).status_code == 409
    assert ada.get(f"{PEOPLE}/grace").json()["name"] == "Grace"
    for wrong in ("", "a b", "../x", "casemate", "a" * 65, "x\n"):
        assert ada.post(PEOPLE, json={"name": wrong, "role": "reader"}).status_code == 400


def test_the_pages_do_the_same_without_a_script(store: Store, app: FastAPI):
    browser = sign_in(store, app, Role.ADMIN, Marking.AMBER)
    key = {"form_key": browser.get("/api/v1/me").json()["form_key"]}
    assert 'href="/people"' in browser.get("/").text
    new = {"name": "grace", "role": "analyst", "clearance": "green", "kind": "person"}
    assert browser.post("/people", data=new).status_code == 403, "without the form's key"
    page = browser.post("/people", data=new | key)
    assert page.status_code == 200
    words = Page(page.text).words
    password = next(word for word in words if word.count("-") == 3 and len(word) == 23)
    other = TestClient(app, follow_redirects=False)
    assert other.post("/sign-in", data={"name": "grace", "password": password}).status_code == 303
    assert password not in browser.get("/people/grace").text
    change = {"do": "change", "role": "reviewer", "clearance": "amber"}
    assert browser.post("/people/grace", data=change | key).headers["location"] == "/people/grace"
    assert other.get("/api/v1/me").status_code == 401
    account = store.people().find("grace")
    assert account is not None
    assert (account.role, account.clearance, account.disabled) == (Role.REVIEWER, Marking.AMBER, False)
    token = {"do": "token", "token": "t1", "scope": ["read", "operate"], "days": "7"}
    made = browser.post("/people/grace", data=token | key)
    value = next(word for word in Page(made.text).words if word.startswith("cm_"))
    assert TestClient(app, headers={"Authorization": f"Bearer {value}"}).get("/api/v1/cases").status_code == 200
    assert browser.post("/people/grace", data={"do": "revoke", "token": "t1"} | key).status_code == 303
    assert TestClient(app, headers={"Authorization": f"Bearer {value}"}).get("/api/v1/cases").status_code == 401
    assert browser.post("/people/grace", data={"do": "sessions"} | key).status_code == 303
    assert "first password" in browser.post("/people/grace", data={"do": "password"} | key).text
    for wrong in (
        {"do": "odd"},
        {"do": "change", "role": "king", "clearance": "green"},
        {"do": "change", "role": "reader", "clearance": "blue"},
        {"do": "token", "token": "t2"},
        {"do": "token", "token": "t2", "scope": "king"},
        {"do": "token", "token": "t2", "scope": "read", "days": "0"},
    ):
        assert browser.post("/people/grace", data=wrong | key).status_code == 400, wrong
    above = {"do": "change", "role": "reader", "clearance": "red"}
    assert browser.post("/people/grace", data=above | key).status_code == 403
    assert 'href="/people"' not in sign_in(store, app, Role.REVIEWER).get("/").text
    assert store.verify_audit() == ()


def test_signing_in_ends_the_session_that_came_along(store: Store, app: FastAPI):
    browser = sign_in(store, app, Role.ANALYST)
    before = browser.cookies["casemate_session"]
    assert browser.post("/sign-in", data={"name": "analyst-person", "password": PASSWORD}).status_code == 303
    assert browser.cookies["casemate_session"] != before
    assert TestClient(app, cookies={"casemate_session": before}).get("/api/v1/me").status_code == 401


def test_a_role_that_changes_ends_every_session_and_holds_for_tokens_at_once(
    ada: TestClient, store: Store, app: FastAPI
):
    token = token_of(store, Role.REVIEWER, Marking.RED, "grace")
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    browsers = [TestClient(app, follow_redirects=False) for _ in range(2)]
    for browser in browsers:
        browser.post("/sign-in", data={"name": "grace", "password": PASSWORD})
        assert browser.get("/api/v1/me").status_code == 200
    ada.patch(f"{PEOPLE}/grace", json={"role": "reader"})
    assert [browser.get("/api/v1/me").status_code for browser in browsers] == [401, 401]
    program = TestClient(app, headers={"Authorization": f"Bearer {token}"})
    assert program.get("/api/v1/me").json()["role"] == "reader"
    assert program.post("/api/v1/evidence", content=b"x").status_code == 403

"""Every route in every role and every clearance, made from the table of routes: who may not, gets nothing."""

import itertools
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from casemate.core.marking import Marking
from casemate.core.person import Right, Role, markings_up_to
from casemate.policy import Policy
from casemate.policy.roles import rights_of
from casemate.store import Store
from casemate.web.app import make_app
from casemate.web.routes import API, PAGES, PLAIN, V1, Route
from casemate.web.site import Site

from .conftest import Planted, plant_all, secret, token_of

ROUTES = (*API, *PLAIN, *PAGES)
PEOPLE = list(itertools.product(Role, Marking))
NUMBERS = itertools.count()
BODIES: dict[str, dict[str, object]] = {
    f"{V1}/evidence": {"content": b'{"message": "hello"}'},
    f"{V1}/cases/{{case_id}}/reviews": {"json": {"revision": 1, "reason": "seen"}},
    "/cases/{case_id}/review": {"data": {"revision": "1", "reason": "seen"}},
    f"{V1}/people": {"json": {"name": "added", "role": "reader", "clearance": "clear"}},
    f"{V1}/people/{{name}}": {"json": {"disabled": False}},
    f"{V1}/people/{{name}}/tokens": {"json": {"name": "made", "scopes": ["read"]}},
    "/people": {"data": {"name": "added-too", "role": "reader", "clearance": "clear"}},
    "/people/{name}": {"data": {"do": "sessions"}},
}
"""What a route is sent; a new route that changes something and needs a body has a line here."""
QUERIES = {f"{V1}/cases/{{case_id}}/export": {"format": "json"}, f"{V1}/changes": {"since": "0"}}


def ask(client: TestClient, route: Route, target: Planted, token: str | None):
    there = {"case_id": target.case_id, "evidence": target.evidence, "number": target.number, "name": target.person}
    if "{token}" in route.path:
        there["token"] = f"to-revoke-{next(NUMBERS)}"
        client.app.state.site.store.people().add_token("test", target.person, there["token"], [Right.READ])  # type: ignore[attr-defined]
    path = route.path.format(**there)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = BODIES.get(route.path, {}) if route.method != "GET" else {}
    return client.request(route.method, path, headers=headers, params=QUERIES.get(route.path), **body)


@pytest.fixture(scope="module")
def store(lasting_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(lasting_url, tmp_path_factory.mktemp("audit")) as opened:
        yield opened


@pytest.fixture(scope="module")
def planted(store: Store) -> dict[Marking, Planted]:
    return plant_all(store)


@pytest.fixture(scope="module")
def app(store: Store) -> FastAPI:
    return make_app(Site(store, Policy(), hosts=()))


@pytest.fixture(scope="module")
def asked(app: FastAPI) -> Iterator[TestClient]:
    app.state.stopping.set()  # so that the stream of changes ends after what there is
    with TestClient(app, follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize(("role", "clearance"), PEOPLE, ids=lambda value: value.value)
def test_nobody_gets_more_than_role_and_clearance_allow(
    role: Role, clearance: Marking, store: Store, planted: dict[Marking, Planted], asked: TestClient
):
    token = token_of(store, role, clearance)
    visible = markings_up_to(clearance)
    hidden = [secret(marking) for marking in Marking if marking not in visible]
    rights = rights_of(role) | {Right.NOBODY, Right.SELF}
    for route in ROUTES:
        targets = planted if "{" in route.path else {clearance: planted[clearance]}
        for marking, target in targets.items():
            answer = ask(asked, route, target, token)
            what = f"{route.method} {route.path} as {role} cleared for {clearance}, asking for {marking}"
            assert answer.status_code < 500, f"{what}: {answer.text}"
            said = answer.text + str(answer.headers)
            assert not [word for word in hidden if word in said], f"{what} leaks: {said}"
            if route.right not in rights:
                assert answer.status_code == 403, f"{what}: {answer.status_code}"
            elif marking not in visible:
                assert answer.status_code == 404, f"{what}: {answer.status_code}"
            elif "{" in route.path:
                assert answer.status_code not in (401, 403, 404), f"{what}: {answer.status_code} {answer.text}"
    headers = {"Authorization": f"Bearer {token}"}
    for path in (f"{V1}/cases", f"{V1}/groups"):
        for word in hidden:
            assert asked.get(path, params={"q": word}, headers=headers).json()["items"] == []
        found = asked.get(path, params={"q": "title" if "cases" in path else "host"}, headers=headers).json()["items"]
        assert len(found) == len(visible)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_stranger_gets_nothing(route: Route, planted: dict[Marking, Planted], asked: TestClient):
    for token in (None, "cm_not-a-token"):
        answer = ask(asked, route, planted[Marking.CLEAR], token)
        if route.right is Right.NOBODY:
            assert answer.status_code < 500
        elif route in API:
            assert answer.status_code == 401
        else:
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in")
        assert not [marking for marking in Marking if secret(marking) in answer.text]


def test_the_table_is_all_there_is(app: FastAPI):
    routed = {
        (method, route.path)
        for route in app.routes
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    assert routed == {(route.method, route.path) for route in ROUTES} | {("GET", f"{V1}/openapi.json")}


def test_what_cannot_be_seen_is_not_counted_either(store: Store, planted: dict[Marking, Planted], asked: TestClient):
    token = token_of(store, Role.ANALYST, Marking.GREEN, "counter")
    answer = asked.get(
        f"{V1}/cases/{planted[Marking.GREEN].case_id}", headers={"Authorization": f"Bearer {token}"}
    ).json()
    assert [one["id"] for one in answer["related"]] == [planted[Marking.CLEAR].case_id]
    assert answer["related"][0]["shared"][0]["cases"] == 1

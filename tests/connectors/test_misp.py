"""Cases to MISP, against a server that answers as its automation API does."""

from typing import Any

import pytest

from casemate.connectors.settings import MispSettings, Server
from casemate.core.errors import ConnectorFailed
from casemate.store import Store

from .pushed import push, put, review
from .servers import Reply, Request, as_json, served

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCD"
Told = list[tuple[str, str, str]]


class Misp:
    """Events by UUID; an event that is there cannot be added, an edit must be newer than what is there."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}

    def act(self, request: Request) -> Reply:
        where = request.path.strip("/")
        if request.headers.get("Authorization") != KEY:
            message = "Authentication failed. Please make sure you pass the API key"
            return as_json({"name": message, "message": message, "url": request.path}, 403)
        if request.method == "GET" and where.startswith("events/view/"):
            event = self.events.get(where.rpartition("/")[2])
            if event is None:
                return as_json({"name": "Invalid event", "message": "Invalid event", "url": request.path}, 404)
            return as_json({"Event": event})
        event = request.json()["Event"]
        if where == "events/add":
            if event["uuid"] in self.events:
                return self.not_saved("add", "Event already exists")
            self.events[event["uuid"]] = {"timestamp": "1", **event, "id": str(len(self.events) + 1)}
        else:
            uuid = where.removeprefix("events/edit/")
            held = self.events[uuid]
            if "timestamp" in event and int(event["timestamp"]) <= int(held["timestamp"]):
                return self.not_saved("edit", "Event in the request not newer than the local copy.")
            self.events[uuid] = {**held, **event, "timestamp": str(int(held["timestamp"]) + 1)}
        return as_json({"Event": self.events[event["uuid"]]})

    def not_saved(self, what: str, why: str) -> Reply:
        name = f"Could not {what} Event"
        answer = {"saved": False, "name": name, "message": name, "url": f"/events/{what}", "errors": why}
        return as_json(answer, 403)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MISP_KEY", KEY)
    return "MISP_KEY"


def settings(url: str, key: str) -> MispSettings:
    return MispSettings(name="misp", server=Server(url=url, secret_env=key))


def test_a_case_is_one_event_and_a_new_edition_edits_it(store: Store, key: str):
    from pymisp import MISPEvent

    told: Told = []
    misp = Misp()
    put(store, "C-1")
    with served(misp.act) as local:
        one = push(settings(local.url, key), store, told)
        one.round()
        (added,) = misp.events.values()
        read = MISPEvent()
        read.from_dict(**added)
        assert read.published is False
        assert {tag.name for tag in read.tags} >= {"tlp:green", 'workflow:state="complete"'}
        assert not any(attribute.to_ids for attribute in read.attributes)  # a false positive
        review(store, "C-1", "Grace")
        one.round()
        one.round()
    assert [code for _name, code, _said in told] == ["given", "given"]
    assert [request.path.split("/")[2] for request in local.asked] == ["view", "add", "view", "edit"]
    assert len(misp.events) == 1
    assert store.pushes().of("misp", "C-1")[0].reference.startswith("event 1 ")


def test_a_crash_before_the_note_gives_the_same_event_again(store: Store, key: str):
    told: Told = []
    misp = Misp()
    put(store, "C-1")
    with served(misp.act) as local:
        one = push(settings(local.url, key), store, told)
        (due,) = one.due()
        found = store.case_at("C-1")
        assert found is not None
        from casemate.connectors.push.parcel import Parcel

        one._receiver.give(Parcel(found[0], due.edition, found[1], store.texts_of("C-1")))  # and then it died
        one.round()
    assert len(misp.events) == 1
    assert [code for _name, code, _said in told] == ["given"]


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (as_json({"saved": False, "name": "Could not add Event", "errors": {"info": ["empty", KEY]}}, 403), True),
        (as_json({"name": "Authentication failed", "message": "x", "url": "/"}, 403), False),
        (as_json({"Event": {"uuid": "another", "id": "7"}}), True),
        (as_json({"Event": []}), True),
        ((500, {}, b"An Internal Error Has Occurred."), False),
        ((302, {"Location": "/users/login"}, b""), False),
        ((200, {}, b"<!DOCTYPE html>"), False),
    ],
)
def test_what_misp_refuses(store: Store, key: str, fault: Reply, counted: bool):
    told: Told = []
    put(store, "C-1")
    misp = Misp()

    def act(request: Request) -> Reply:
        return fault if request.method == "POST" else misp.act(request)

    with served(act) as local:
        one = push(settings(local.url, key), store, told)
        if counted:
            one.round()
            assert [kept.state for kept in store.pushes().of("misp", "C-1")] == ["waiting"]
        else:
            with pytest.raises(ConnectorFailed):
                one.round()
            assert store.pushes().of("misp", "C-1") == ()
    assert KEY not in str(told)

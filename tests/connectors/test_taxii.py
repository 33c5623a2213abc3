"""A TAXII 2.1 collection both ways, against a server that keeps the standard's pages, times and statuses."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stix2

from casemate.connectors.feed import Feed
from casemate.connectors.settings import Server, TaxiiPushSettings, TaxiiSettings
from casemate.connectors.taxii import TaxiiSource
from casemate.core.errors import ConnectorFailed
from casemate.core.marking import Marking
from casemate.policy import Limits, Policy
from casemate.store import Store

from .conftest import Taken
from .pushed import push, put, review
from .servers import Local, Reply, Request, as_json, served

ID = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
MEDIA = "application/taxii+json;version=2.1"
START = datetime(2026, 1, 2, tzinfo=UTC)
POLICY = Policy(limits=Limits(connector_seconds=60.0))


def taxii(value: object, status: int = 200, **headers: str) -> Reply:
    return as_json(value, status, **{"Content-Type": MEDIA, **headers})


def stamp(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def indicator(number: int, *refs: str) -> dict[str, Any]:
    made = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--00000000-0000-4000-8000-{number:012d}",
        "created": stamp(0),
        "modified": stamp(0),
        "pattern": f"[ipv4-addr:value = '192.0.2.{number % 250}']",
        "pattern_type": "stix",
        "valid_from": stamp(0),
    }
    return {**made, "object_marking_refs": list(refs)} if refs else made


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


class Collection:
    """Objects with the times they were added; `tokens` says whether pages are asked for by token or by time."""

    def __init__(self, *, tokens: bool = True, most: int = 100_000_000, pending: int = 0) -> None:
        self.held: list[tuple[str, dict[str, Any]]] = []
        self.tokens, self.most, self.pending = tokens, most, pending
        self.failing = 0
        self.can_write = True

    def act(self, request: Request) -> Reply:
        assert request.headers["Accept"] == MEDIA
        where = request.path.removeprefix("/root")
        if where == "/":
            return taxii({"title": "root", "versions": [MEDIA], "max_content_length": self.most})
        if where == f"/collections/{ID}/":
            return taxii({"id": ID, "title": "c", "can_read": True, "can_write": self.can_write})
        if where.startswith("/status/"):
            self.pending -= 1
            return taxii(self.status(len(self.held), pending=self.pending > 0))
        if where != f"/collections/{ID}/objects/":
            return taxii({"title": "not found"}, 404)
        return self.page(request) if request.method == "GET" else self.add(request)

    def page(self, request: Request) -> Reply:
        after = request.query.get("added_after", "")
        found = [(time, one) for time, one in self.held if not after or moment(time) > moment(after)]
        begin = int(request.query.get("next", "0"))
        limit = int(request.query["limit"])
        page = found[begin : begin + limit]
        more = begin + limit < len(found)
        envelope: dict[str, Any] = {"more": more}
        if page:
            envelope["objects"] = [one for _time, one in page]
        if more and self.tokens:
            envelope["next"] = str(begin + limit)
        times = {"X-TAXII-Date-Added-First": page[0][0], "X-TAXII-Date-Added-Last": page[-1][0]} if page else {}
        return taxii(envelope, **times)

    def add(self, request: Request) -> Reply:
        assert request.headers["Content-Type"] == MEDIA
        objects = request.json()["objects"]
        there = {(one["id"], one.get("modified")) for _time, one in self.held}
        self.held += [(stamp(0), one) for one in objects if (one["id"], one.get("modified")) not in there]
        return taxii(self.status(len(objects), pending=self.pending > 0), 202)

    def status(self, total: int, *, pending: bool) -> dict[str, Any]:
        good = 0 if pending else total - self.failing
        return {
            "id": "2d086da7-4bdc-4f91-900e-d77486753710",
            "status": "pending" if pending else "complete",
            "total_count": total,
            "success_count": good,
            "failure_count": 0 if pending else self.failing,
            "pending_count": total if pending else 0,
        }


def source(local: Local, **more: Any) -> TaxiiSource:
    settings = {"name": "test", "server": Server(url=f"{local.url}/root/"), "collection": ID, "page": 3, **more}
    return TaxiiSource(TaxiiSettings(**settings), POLICY)


def ids(taken: Taken) -> list[int]:
    found = []
    for _source, data in taken.alerts():
        bundle = json.loads(data)
        stix2.parse(bundle, allow_custom=False)
        found += [int(one["id"][-12:]) for one in bundle["objects"]]
    return sorted(found)


@pytest.mark.parametrize("tokens", [True, False])
def test_every_object_is_taken_once_page_by_page(tokens: bool, make_feed: Callable[..., Feed], taken: Taken):
    collection = Collection(tokens=tokens)
    collection.held = [(stamp(number), indicator(number)) for number in range(10)]
    with served(collection.act) as local:
        source(local).round(make_feed())
        source(local).round(make_feed())
        collection.held += [(stamp(number), indicator(number)) for number in range(10, 14)]
        feed = make_feed()
        source(local).round(feed)
        assert json.loads(feed.places()["place"]) == {"after": stamp(13)}
        assert len(feed.places()) == 1
    assert ids(taken) == list(range(14))


@pytest.mark.parametrize("tokens", [True, False])
def test_times_are_compared_as_times_however_many_digits_they_have(
    tokens: bool, make_feed: Callable[..., Feed], taken: Taken
):
    written = ("00Z", "00.1Z", "00.100001Z", "00.5Z", "00.500001Z", "00.50001Z", "01Z", "01.000001Z")
    collection = Collection(tokens=tokens)
    collection.held = [(f"2026-01-02T00:00:{time}", indicator(number)) for number, time in enumerate(written)]
    with served(collection.act) as local:
        for size in (1, 2, 3):
            source(local, page=size).round(make_feed())
        assert json.loads(make_feed().places()["place"]) == {"after": collection.held[-1][0]}
    assert ids(taken) == list(range(len(written)))


def test_a_kill_between_pages_goes_on_and_an_old_token_is_no_end(make_feed: Callable[..., Feed], taken: Taken):
    collection = Collection()
    collection.held = [(stamp(number), indicator(number)) for number in range(8)]
    with served(collection.act) as local:
        usual, pages = local.act, [0]

        def cut(request: Request) -> Reply:
            pages[0] += 1
            return (500, {}, b"") if pages[0] == 2 else usual(request)

        local.act = cut
        with pytest.raises(ConnectorFailed, match="HTTP 500"):
            source(local).round(make_feed())
        pages[0] = 10

        def forgotten(request: Request) -> Reply:
            pages[0] += 1
            gone = pages[0] == 11 and "next" in request.query
            return taxii({"title": "no such token"}, 400) if gone else usual(request)

        local.act = forgotten
        source(local).round(make_feed())
    assert ids(taken) == list(range(8))


def test_a_stricter_marking_is_kept(make_feed: Callable[..., Feed], store: Store):
    collection = Collection()
    collection.held = [
        (stamp(0), indicator(0)),
        (stamp(1), indicator(1, "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1")),
        (stamp(2), indicator(2, "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82")),
    ]
    with served(collection.act) as local:
        source(local, page=1).round(make_feed())
    events = [dict(event.body) for event in store.audit_events() if event.action == "evidence.received"]
    assert [body["marking"] for body in events] == [Marking.GREEN, Marking.RED, Marking.AMBER]


@pytest.mark.parametrize(
    "reply",
    [
        as_json({"objects": []}),
        taxii({"objects": {}}),
        taxii({"objects": [7]}),
        taxii({"objects": [{"type": "indicator"}]}),
        taxii({"objects": [indicator(1)], "more": True}),
        taxii({"objects": [indicator(1)]}, **{"X-TAXII-Date-Added-Last": "9999-01-01T00:00:00Z"}),
        taxii({"objects": [indicator(1)]}, **{"X-TAXII-Date-Added-Last": "yesterday"}),
        taxii({"objects": [indicator(1)], "more": True, "next": "again"}),
        taxii([]),
        taxii({"title": "unauthorised"}, 401),
        taxii({"title": "not acceptable"}, 406),
    ],
)
def test_an_answer_that_lies_ends_the_round(reply: Reply, make_feed: Callable[..., Feed]):
    with served(lambda _request: reply) as local, pytest.raises(ConnectorFailed):
        source(local).round(make_feed())


def push_settings(local: Local) -> TaxiiPushSettings:
    return TaxiiPushSettings(name="out", server=Server(url=f"{local.url}/root"), collection=ID)


@pytest.mark.parametrize("pending", [0, 2])
def test_a_case_is_added_in_one_envelope(pending: int, store: Store):
    told: list[tuple[str, str, str]] = []
    collection = Collection(pending=pending)
    put(store, "C-1")
    with served(collection.act) as local:
        one = push(push_settings(local), store, told)
        one.round()
        assert [code for _name, code, _said in told] == ["given"], told
        first = len(collection.held)
        stix2.parse({"type": "bundle", "id": f"bundle--{ID}", "objects": [held for _time, held in collection.held]})
        assert "report" in {held["type"] for _time, held in collection.held}
        one.round()
        assert len(collection.held) == first
        if not pending:
            review(store, "C-1", "Grace")
            one.round()
            assert len(collection.held) > first
    assert sum(request.method == "POST" for request in local.asked) == (1 if pending else 2)


@pytest.mark.parametrize(
    ("twist", "counted"),
    [
        ({"most": 100}, True),
        ({"failing": 1}, True),
        ({"can_write": False}, False),
        ({"most": 0}, False),
    ],
)
def test_a_collection_that_does_not_take_a_case(twist: dict[str, Any], counted: bool, store: Store):
    told: list[tuple[str, str, str]] = []
    collection = Collection()
    for name, value in twist.items():
        setattr(collection, name, value)
    put(store, "C-1")
    with served(collection.act) as local:
        one = push(push_settings(local), store, told)
        if counted:
            one.round()
            assert [kept.state for kept in store.pushes().of("out", "C-1")] == ["waiting"]
        else:
            with pytest.raises(ConnectorFailed):
                one.round()
            assert store.pushes().of("out", "C-1") == ()
    if twist == {"most": 100}:
        assert collection.held == []

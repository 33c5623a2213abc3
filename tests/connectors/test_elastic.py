"""Alerts out of an index, against a server that pages as Elasticsearch and OpenSearch document it."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from casemate.connectors.elastic import ElasticSource
from casemate.connectors.feed import Feed
from casemate.connectors.settings import (
    ElasticSettings,
    Incoming,
    OpenSearchSettings,
    Server,
    WazuhIndexerSettings,
)
from casemate.core.errors import ConnectorFailed
from casemate.policy import Limits, Policy

from .conftest import Taken
from .servers import Local, Reply, Request, as_json, served

POLICY = Policy(limits=Limits(connector_seconds=60.0, batch_alerts=3))


@dataclass
class Index:
    """An index of documents, its points in time, and the search that pages through them."""

    elastic: bool
    docs: list[dict[str, Any]] = field(default_factory=list)
    pits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    opened: int = 0
    twist: Callable[[dict[str, Any]], object] = lambda _answer: None

    def add(self, number: int, when: int, level: int = 5, name: str = "") -> None:
        source = {"n": number, "timestamp": "t", "rule": {"level": level}, "message": "m"}
        self.docs.append({"_index": "a-1", "_id": name or f"id{number}", "_source": source, "when": when})

    def act(self, request: Request) -> Reply:
        open_path = "/a-%2A/_pit" if self.elastic else "/a-%2A/_search/point_in_time"
        path = request.path.replace("*", "%2A")
        if request.method == "POST" and path == open_path:
            assert request.query == {"keep_alive": "2m"}
            self.opened += 1
            pit = f"pit{self.opened}"
            self.pits[pit] = list(self.docs)
            return as_json({"id": pit} if self.elastic else {"pit_id": pit, "creation_time": 1})
        if request.method == "DELETE":
            names = [request.json()["id"]] if self.elastic else request.json()["pit_id"]
            for name in names:
                del self.pits[name]
            return as_json({"succeeded": True})
        if request.method == "POST" and request.path == "/_search":
            return as_json(self.search(request.json()))
        return as_json({"error": {"type": "no handler", "reason": request.path}}, 400)

    def search(self, asked: dict[str, Any]) -> dict[str, Any]:
        pit = asked["pit"]["id"]
        filters = asked["query"]["bool"]["filter"]
        lowest = next(one["range"][key]["gte"] for one in filters for key in one["range"] if "time" in key)
        level = next((one["range"]["rule.level"]["gte"] for one in filters if "rule.level" in one["range"]), 0)
        found = []
        for place, doc in enumerate(self.pits[pit]):
            if doc["when"] >= lowest and doc["_source"]["rule"]["level"] >= level:
                sort: list[Any] = [doc["when"]]
                sort += [place] if self.elastic else [doc["_id"]] if len(asked["sort"]) > 1 else []
                found.append({**{key: doc[key] for key in ("_index", "_id", "_source")}, "sort": sort})
        found.sort(key=lambda hit: hit["sort"])
        if "search_after" in asked:
            after = asked["search_after"]
            found = [hit for hit in found if hit["sort"][: len(after)] > after]
        answer = {
            "took": 1,
            "timed_out": False,
            "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
            "hits": {"max_score": None, "hits": found[: asked["size"]]},
            "pit_id": pit,
        }
        self.twist(answer)
        return answer


@pytest.fixture(params=["elasticsearch", "opensearch"])
def index(request: pytest.FixtureRequest) -> Index:
    return Index(request.param == "elasticsearch")


@pytest.fixture
def local(index: Index) -> Iterator[Local]:
    with served(index.act) as opened:
        yield opened


def source(local: Local, index: Index, **more: Any) -> ElasticSource:
    kind = ElasticSettings if index.elastic else OpenSearchSettings
    given = {"name": "test", "server": Server(url=local.url), "index": "a-*", "page": 4, "overlap": 10.0}
    return ElasticSource(kind(**{**given, **more}), POLICY)


def numbers(taken: Taken) -> list[int]:
    return sorted(json.loads(data)["n"] for _source, data in taken.alerts())


NOW = int(time.time() * 1000) - 3_600_000


def test_pages_are_taken_once_also_where_times_are_equal(
    local: Local, index: Index, make_feed: Callable[..., Feed], taken: Taken
):
    for number in range(23):
        index.add(number, NOW + (number // 9) * 1000)  # nine documents of one millisecond, four a page
    source(local, index).round(make_feed())
    source(local, index).round(make_feed())
    assert numbers(taken) == list(range(23))
    assert index.pits == {}
    assert local.asked[0].headers.get("Authorization") is None


def test_a_document_that_becomes_visible_late_is_found(
    local: Local, index: Index, make_feed: Callable[..., Feed], taken: Taken
):
    index.add(1, NOW)
    one = source(local, index)
    one.round(make_feed())
    index.add(2, NOW - 9_000)  # within the overlap
    index.add(3, NOW + 1)
    one.round(make_feed())
    index.add(4, NOW - 60_000)  # not any more
    one.round(make_feed())
    assert numbers(taken) == [1, 2, 3]


def test_a_time_in_the_future_does_not_hide_what_comes(
    local: Local, index: Index, make_feed: Callable[..., Feed], taken: Taken
):
    index.add(1, 253_402_300_799_000)  # the year 9999
    one = source(local, index)
    one.round(make_feed())
    index.add(2, int(time.time() * 1000) + 5)
    one.round(make_feed())
    one.round(make_feed())
    assert numbers(taken) == [1, 2]


def test_a_kill_between_pages_goes_on_behind_the_last_stored_one(
    local: Local, index: Index, make_feed: Callable[..., Feed], taken: Taken
):
    for number in range(10):
        index.add(number, NOW + number)
    index.twist = lambda answer: answer.update(timed_out=answer["hits"]["hits"][:1] and _n(answer) >= 4)
    with pytest.raises(ConnectorFailed):
        source(local, index).round(make_feed())
    index.twist = lambda _answer: None
    source(local, index).round(make_feed())
    assert numbers(taken) == list(range(10))


def _n(answer: dict[str, Any]) -> int:
    hits = answer["hits"]["hits"]
    return hits[0]["_source"]["n"] if hits else 0


def test_beginning_now_leaves_what_was_there(local: Local, index: Index, make_feed: Callable[..., Feed], taken: Taken):
    index.add(1, NOW)
    one = source(local, index, begin="now")
    one.round(make_feed())
    index.add(2, int(time.time() * 1000) + 1)
    one.round(make_feed())
    assert numbers(taken) == [2]


def test_old_ids_are_forgotten(local: Local, index: Index, make_feed: Callable[..., Feed]):
    for number in range(8):
        index.add(number, NOW + number * 5_000)
    feed = make_feed()
    source(local, index).round(feed)
    assert set(feed.places().values()) == {str(NOW + number * 5_000) for number in (5, 6, 7)}


TWISTS: list[Callable[[dict[str, Any]], object]] = [
    lambda answer: answer.update(timed_out=True),
    lambda answer: answer["_shards"].update(failed=1),
    lambda answer: answer.pop("_shards"),
    lambda answer: answer.update(hits=[]),
    lambda answer: answer["hits"]["hits"].reverse(),
    lambda answer: answer["hits"]["hits"].extend(answer["hits"]["hits"] * 3),
    lambda answer: answer["hits"]["hits"][0].pop("_id"),
    lambda answer: answer["hits"]["hits"][0].update(_source="text"),
    lambda answer: answer["hits"]["hits"][0].update(sort=["x", 1]),
    lambda answer: answer["hits"]["hits"][0].update(sort=[]),
    lambda answer: answer["hits"]["hits"].insert(0, 7),
]


@pytest.mark.parametrize("twist", TWISTS)
def test_an_answer_that_is_not_whole_moves_nothing(
    local: Local, index: Index, make_feed: Callable[..., Feed], twist: Callable[[dict[str, Any]], object]
):
    for number in range(4):
        index.add(number, NOW + number)
    index.twist = twist
    feed = make_feed()
    with pytest.raises(ConnectorFailed):
        source(local, index).round(feed)
    assert feed.places() == {}
    assert index.pits == {}


@pytest.mark.parametrize(
    "fault", [as_json({"error": "security_exception"}, 401), (503, {}, b"busy"), (200, {}, b"<html>")]
)
def test_a_server_that_refuses_is_a_failure(local: Local, index: Index, make_feed: Callable[..., Feed], fault: Reply):
    local.fault = fault
    with pytest.raises(ConnectorFailed):
        source(local, index).round(make_feed())


def test_too_many_documents_of_one_millisecond_are_told(make_feed: Callable[..., Feed]):
    index = Index(elastic=False)
    for number in range(20):
        index.add(number, NOW)
    with served(index.act) as local:
        index.twist = lambda answer: answer["hits"].update(hits=answer["hits"]["hits"][:4] * 3000)
        with pytest.raises(ConnectorFailed):
            source(local, index).round(make_feed())


def test_wazuh_asks_for_levels_and_sends_its_account(
    make_feed: Callable[..., Feed], taken: Taken, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WAZUH_KEY", "pw")
    index = Index(elastic=False)
    index.add(1, NOW, level=3)
    index.add(2, NOW, level=10)
    with served(index.act) as local:
        server = Server(url=local.url, user="casemate", secret_env="WAZUH_KEY")
        settings: Incoming = WazuhIndexerSettings(name="w", server=server, index="a-*", least_level=7)
        assert isinstance(settings, WazuhIndexerSettings)
        ElasticSource(settings, POLICY).round(make_feed())
        assert local.asked[0].headers["Authorization"].startswith("Basic ")
    assert numbers(taken) == [2]
    assert WazuhIndexerSettings(name="w", server=server).index == "wazuh-alerts-*"

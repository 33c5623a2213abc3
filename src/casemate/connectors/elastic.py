"""Alerts out of an index: Elasticsearch, OpenSearch and Wazuh's indexer, by points in time and `search_after`.

Elasticsearch guide, "Paginate search results"; OpenSearch documentation, "Point in Time". A point in time keeps the
pages of one round apart from what is indexed meanwhile. Between rounds the place is a time, and the ids of what was
taken within `overlap` before it, so that a document that becomes visible late is found, and none is taken twice.
"""

import contextlib
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from casemate.connectors.feed import Feed
from casemate.connectors.http import Http, segment
from casemate.connectors.settings import ElasticSettings, OpenSearchSettings, WazuhIndexerSettings
from casemate.core.errors import ConnectorFailed
from casemate.policy import Policy

KEEP_ALIVE = "2m"
PLACE = "place"
LARGEST = 10_000  # what a server gives in one page unless it is told otherwise
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class _Hit:
    id: str  # of document and index, 32 hexadecimal digits
    when: int  # milliseconds since 1970
    sort: list[Any]
    line: bytes


class ElasticSource:
    """Takes the documents of an index in the order of their time."""

    def __init__(self, settings: ElasticSettings, policy: Policy) -> None:
        self._settings = settings
        self._http = Http(settings.server, policy, "ApiKey")
        self._batch = policy.limits.batch_alerts
        self._newer = isinstance(settings, OpenSearchSettings)

    def round(self, feed: Feed) -> None:
        """Take what is new."""
        began = int(time.time() * 1000)
        places = feed.places()
        after = int(places.pop(PLACE, -1))
        if after < 0 and self._settings.begin == "now":
            feed.hand_lines("", (), (feed.cursor(PLACE, str(began)),))
            return
        seen = set(places)
        lowest = max(after - int(self._settings.overlap * 1000), 0)
        pit = self._open()
        try:
            behind: list[Any] | None = None
            size = self._settings.page
            while feed.room():
                hits, pit = self._page(pit, lowest, behind, size)
                for start in range(0, len(hits), self._batch):
                    some = hits[start : start + self._batch]
                    fresh = [hit for hit in some if hit.id not in seen]
                    after = max(after, min(some[-1].when, began))
                    cursors = [feed.cursor(hit.id, str(hit.when)) for hit in fresh]
                    lines = [hit.line for hit in fresh]
                    feed.hand_lines(self._settings.index, lines, (*cursors, feed.cursor(PLACE, str(after))))
                    seen.update(hit.id for hit in fresh)
                if len(hits) < size:
                    break
                behind, size = self._behind(hits[-1], behind, size)
        finally:
            self._close(pit)
        oldest = after - int(self._settings.overlap * 1000)
        feed.forget([name for name, when in feed.places().items() if name != PLACE and int(when) < oldest])

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _open(self) -> str:
        index = segment(self._settings.index)
        path = f"/{index}/_search/point_in_time" if self._newer else f"/{index}/_pit"
        answer = self._http.ask("POST", path, params={"keep_alive": KEEP_ALIVE})
        found = self._http.expect(answer, 200).json()
        pit = found.get("pit_id" if self._newer else "id")
        if not isinstance(pit, str) or not pit:
            raise self._wrong("no point in time")
        return pit

    def _close(self, pit: str) -> None:
        body = {"pit_id": [pit]} if self._newer else {"id": pit}
        with contextlib.suppress(ConnectorFailed):  # it runs out by itself
            path = "/_search/point_in_time" if self._newer else "/_pit"
            self._http.ask("DELETE", path, body=orjson.dumps(body), headers=JSON)

    def _behind(self, last: _Hit, behind: list[Any] | None, size: int) -> tuple[list[Any], int]:
        """Say what the next page comes after, and how large it is.

        Without anything that orders documents of one millisecond, the next page begins with all of that millisecond
        again (what was taken is known by its id), and must be larger than it.
        """
        if len(last.sort) > 1:
            return last.sort, size
        again = [last.when - 1]
        if again == behind:
            size *= 2
            if size > LARGEST:
                raise self._wrong(f"more than {size // 2} documents of one millisecond: set tiebreak")
        return again, size

    def _page(self, pit: str, lowest: int, behind: list[Any] | None, size: int) -> tuple[list[_Hit], str]:
        settings = self._settings
        sort: list[dict[str, Any]] = [
            {settings.timestamp: {"order": "asc", "numeric_type": "date", "unmapped_type": "date"}}
        ]
        if settings.tiebreak:
            sort.append({settings.tiebreak: {"order": "asc"}})
        body = {
            "size": size,
            "query": {"bool": {"filter": self._filters(lowest)}},
            "pit": {"id": pit, "keep_alive": KEEP_ALIVE},
            "sort": sort,
            "track_total_hits": False,
        }
        if behind is not None:
            body["search_after"] = behind
        answer = self._http.ask("POST", "/_search", body=orjson.dumps(body), headers=JSON)
        found = self._http.expect(answer, 200).json()
        again = found.get("pit_id")
        return self._hits(found, behind, size), again if isinstance(again, str) and again else pit

    def _filters(self, lowest: int) -> list[Mapping[str, Any]]:
        settings = self._settings
        filters: list[Mapping[str, Any]] = [{"range": {settings.timestamp: {"gte": lowest, "format": "epoch_millis"}}}]
        if isinstance(settings, WazuhIndexerSettings) and settings.least_level:
            filters.append({"range": {"rule.level": {"gte": settings.least_level}}})
        if settings.query:
            filters.append(settings.query)
        return filters

    def _hits(self, found: Mapping[str, Any], behind: list[Any] | None, size: int) -> list[_Hit]:
        """Check an answer: a page that is not whole, or not in order, would lose documents without a word."""
        shards = found.get("_shards")
        if found.get("timed_out") is not False or not isinstance(shards, dict) or shards.get("failed") != 0:
            raise self._wrong("a search that did not reach every shard")
        outer = found.get("hits")
        raw = outer.get("hits") if isinstance(outer, dict) else None
        if not isinstance(raw, list) or len(raw) > size:
            raise self._wrong("no page of hits")
        hits = [self._hit(one) for one in raw]
        times = [hit.when for hit in hits]
        if times != sorted(times) or (behind is not None and times and times[0] < behind[0]):
            raise self._wrong("hits that are not in the order asked for")
        if hits and hits[-1].sort == behind:
            raise self._wrong("the same page again")
        return hits

    def _hit(self, one: object) -> _Hit:
        if not isinstance(one, dict):
            raise self._wrong("a hit that is none")
        index, name, source, sort = (one.get(key) for key in ("_index", "_id", "_source", "sort"))
        if not isinstance(index, str) or not isinstance(name, str) or not isinstance(source, dict):
            raise self._wrong("a hit without index, id or source")
        if not isinstance(sort, list) or not sort or isinstance(sort[0], bool) or not isinstance(sort[0], int):
            raise self._wrong("a hit whose place in the order is not told: set timestamp")
        named = hashlib.sha256(f"{index}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return _Hit(named, sort[0], sort, orjson.dumps(source))

    def _wrong(self, what: str) -> ConnectorFailed:
        return ConnectorFailed(f"{self._http.host}: {what}", way_out="see docs/connectors.md, and the server's own log")

"""What is new in a TAXII 2.1 collection (OASIS Standard, 10 June 2021)."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

import orjson

from casemate.connectors.feed import Feed
from casemate.connectors.http import Answer, Http
from casemate.connectors.settings import TaxiiSettings
from casemate.core.errors import ConnectorFailed
from casemate.core.marking import Marking, strictest
from casemate.policy import Policy
from casemate.stages.export.stix import NAMESPACE, TLP_IDS

MEDIA = "application/taxii+json"
ACCEPT = {"Accept": f"{MEDIA};version=2.1"}
LAST = "x-taxii-date-added-last"
PLACE = "place"
PAGES_WITHOUT_NEWS = 100
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z")

# STIX 2.1 section 7.2.1.4: the marking definitions of TLP 1.
_TLP_1 = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Marking.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Marking.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Marking.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Marking.RED,
}
MARKINGS: Mapping[str, Marking] = {**_TLP_1, **{id_: marking for marking, id_ in TLP_IDS.items()}}


def taxii_json(answer: Answer) -> dict[str, Any]:
    """Read a TAXII resource; `ConnectorFailed` when the answer is of another media type (section 1.6.8)."""
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA:
        raise ConnectorFailed(f"{answer.who}: the answer is no TAXII 2.1", way_out="name the address of the API root")
    return answer.json()


class TaxiiSource:
    """Takes the objects of a collection in the order they were added; a page becomes one STIX bundle, one alert."""

    def __init__(self, settings: TaxiiSettings, policy: Policy) -> None:
        self._settings = settings
        self._http = Http(settings.server, policy)

    def round(self, feed: Feed) -> None:
        """Take every page that there is."""
        places = feed.places()
        state: dict[str, str] = json.loads(places.pop(PLACE, "{}"))
        seen = set(places)
        quiet = 0
        while feed.room():
            answer = self._page(state)
            if answer.status != 200:  # the token of a page that was cut off is too old: begin behind the last time
                state.pop("next")
                continue
            envelope = taxii_json(answer)
            objects = self._objects(envelope)
            names = [_name(one) for one in objects]
            fresh = {name: one for name, one in zip(names, objects, strict=True) if name not in seen}
            quiet = 0 if fresh else quiet + 1
            more = self._turn(state, envelope, answer.headers.get(LAST, ""), quiet)
            self._hand(feed, fresh, json.dumps(state))
            seen.update(fresh)
            if not more:
                if state.pop("passed", ""):
                    self._hand(feed, {}, json.dumps(state))
                    feed.forget(sorted(seen))
                return

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _page(self, state: Mapping[str, str]) -> Answer:
        params = {"limit": str(self._settings.page)}
        if state.get("after"):
            params["added_after"] = state["after"]
        if state.get("next"):
            params["next"] = state["next"]
        path = f"/collections/{self._settings.collection}/objects/"
        answer = self._http.ask("GET", path, params=params, headers=ACCEPT)
        return self._http.expect(answer, 200, *((400, 404, 410, 416) if state.get("next") else ()))

    def _objects(self, envelope: Mapping[str, Any]) -> list[dict[str, Any]]:
        objects = envelope.get("objects", [])
        if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
            raise self._wrong("an envelope without a list of objects")
        if not all(isinstance(one.get("id"), str) and isinstance(one.get("type"), str) for one in objects):
            raise self._wrong("an object without id or type")
        return objects

    def _turn(self, state: dict[str, str], envelope: Mapping[str, Any], last: str, quiet: int) -> bool:
        """Set where the next page begins (section 3.5); false after the last one.

        `last` in `state` is the newest time that was told so far, which becomes `after` behind the last page.
        """
        if last:
            self._check_time(last)
            state["last"] = max(state.get("last", ""), last, key=_moment)
        token = envelope.get("next")
        if envelope.get("more") is True and isinstance(token, str) and token:
            if (quiet and token == state.get("next")) or quiet > PAGES_WITHOUT_NEWS:
                raise self._wrong("one page after another without anything new")
            state["next"] = token
            return True
        state.pop("next", None)
        newest = state.pop("last", "")
        moved = _moment(newest) > _moment(state.get("after", ""))
        if moved:
            state["after"] = state["passed"] = newest
        if envelope.get("more") is True and not moved:
            raise self._wrong("more pages, and no way to ask for them")
        return envelope.get("more") is True

    def _check_time(self, text: str) -> None:
        if not _TIME.fullmatch(text):
            raise self._wrong("a time of adding that is none")
        try:
            time = datetime.fromisoformat(f"{text[:19]}+00:00")
        except ValueError as error:
            raise self._wrong("a time of adding that is none") from error
        if time > datetime.now(UTC) + timedelta(days=1):
            raise self._wrong("a time of adding in the future, which would hide what comes")

    def _hand(self, feed: Feed, fresh: Mapping[str, dict[str, Any]], place: str) -> None:
        cursors = [feed.cursor(PLACE, place), *(feed.cursor(name, "") for name in fresh)]
        if not fresh:
            feed.hand_lines("", (), cursors)
            return
        objects = list(fresh.values())
        data = orjson.dumps(
            {"type": "bundle", "id": f"bundle--{uuid5(NAMESPACE, ' '.join(fresh))}", "objects": objects}
        )
        marking = strictest([feed.marking, *_markings(objects)])
        feed.hand_file(f"taxii-{self._settings.collection}.json", data, cursors, marking)

    def _wrong(self, what: str) -> ConnectorFailed:
        return ConnectorFailed(f"{self._http.host}: {what}", way_out="see the log of the TAXII server")


def _moment(text: str) -> str:
    """Write a time so that texts are in the order of times: a server may write any number of digits of a second."""
    return f"{text[:19]}.{text[20:-1].ljust(9, '0')}" if text else ""


def _name(one: Mapping[str, Any]) -> str:
    """Name a version of an object: STIX tells versions apart by `modified`, objects without one by content."""
    version = one.get("modified")
    told = version if isinstance(version, str) else orjson.dumps(one, option=orjson.OPT_SORT_KEYS).decode()
    return hashlib.sha256(f"{one['id']}\0{told}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _markings(objects: Sequence[Mapping[str, Any]]) -> list[Marking]:
    """Find the TLP markings of objects: what is marked stricter than the connector stays so."""
    found = []
    for one in objects:
        refs = one.get("object_marking_refs")
        found += (
            [MARKINGS[ref] for ref in refs if isinstance(ref, str) and ref in MARKINGS]
            if isinstance(refs, list)
            else []
        )
    return found

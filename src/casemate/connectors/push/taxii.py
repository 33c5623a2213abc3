"""A case as STIX 2.1 objects in a TAXII 2.1 collection (sections 3.5, 4.2, 4.3, 5.2 and 5.4 of the standard)."""

import re
import time
from typing import Any

import orjson

from casemate.connectors.http import Http
from casemate.connectors.push.parcel import Given, Parcel, PushRefused
from casemate.connectors.settings import TaxiiPushSettings
from casemate.connectors.taxii import ACCEPT, MEDIA, taxii_json
from casemate.core.errors import ConnectorFailed
from casemate.policy import Policy

POLL_SECONDS = 0.5
_ID = re.compile(r"[A-Za-z0-9-]{1,100}")


class TaxiiReceiver:
    """Adds all objects of a case in one envelope, and waits until the server says what became of each."""

    def __init__(self, settings: TaxiiPushSettings, policy: Policy) -> None:
        self._http = Http(settings.server, policy)
        self._collection = f"/collections/{settings.collection}/"
        self._seconds = policy.limits.connector_seconds
        self._most = 0

    def give(self, parcel: Parcel) -> Given:
        """Add the objects of one case; the same objects again are the same there."""
        if not self._most:
            self._most = self._ask_root()
        objects = orjson.loads(parcel.rendered("stix"))["objects"]
        body = orjson.dumps({"objects": objects})
        if len(body) > self._most:
            raise PushRefused(
                f"{self._http.host}: takes {self._most:,} bytes at once, the case has {len(body):,}",
                way_out="raise max_content_length of the API root",
            )
        headers = {**ACCEPT, "Content-Type": f"{MEDIA};version=2.1"}
        answer = self._http.ask("POST", f"{self._collection}objects/", body=body, headers=headers)
        if answer.status in {400, 413, 415, 422}:
            raise PushRefused(f"{self._http.host}: HTTP {answer.status}", way_out="see the log of the TAXII server")
        status = self._settled(taxii_json(self._http.expect(answer, 202, 200)))
        counts = [status.get(f"{name}_count") for name in ("total", "success", "failure")]
        if counts != [len(objects), len(objects), 0]:
            raise PushRefused(
                f"{self._http.host}: took {counts[1]!r} of {len(objects)} objects"[:300],
                way_out="see the log of the TAXII server; all are sent again, which changes nothing for those it has",
            )
        return Given.of(status.get("id"), body)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _ask_root(self) -> int:
        """Ask how much the API root takes at once, and whether the collection may be written to."""
        root = taxii_json(self._http.expect(self._http.ask("GET", "/", headers=ACCEPT), 200))
        collection = taxii_json(self._http.expect(self._http.ask("GET", self._collection, headers=ACCEPT), 200))
        if collection.get("can_write") is not True:
            raise ConnectorFailed(
                f"{self._http.host}: the collection may not be written to", way_out="ask for the right"
            )
        most = root.get("max_content_length")
        if isinstance(most, bool) or not isinstance(most, int) or most <= 0:
            raise ConnectorFailed(f"{self._http.host}: no API root of TAXII 2.1", way_out="name the API root as url")
        return most

    def _settled(self, status: dict[str, Any]) -> dict[str, Any]:
        """Wait until nothing is pending."""
        end = time.monotonic() + self._seconds
        id_ = status.get("id")
        while status.get("status") != "complete":
            if status.get("status") != "pending" or not isinstance(id_, str) or not _ID.fullmatch(id_):
                raise PushRefused(f"{self._http.host}: an answer that is no status", way_out="check the server")
            if time.monotonic() > end:
                raise ConnectorFailed(f"{self._http.host}: still pending", way_out="nothing to do: it is sent again")
            time.sleep(POLL_SECONDS)
            status = taxii_json(self._http.expect(self._http.ask("GET", f"/status/{id_}/", headers=ACCEPT), 200))
        return status

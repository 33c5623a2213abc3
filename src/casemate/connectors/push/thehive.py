"""A case as an alert of TheHive 5 (`POST /api/v1/alert`), from which people there, or we, make a case.

A case of TheHive has no reference of ours that it would refuse to take twice, an alert has one: so a case is made of
the alert (`POST /api/v1/alert/ID/case`), and a later edition is merged into it (`POST /api/v1/alert/ID/merge/CASE`).
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from casemate.connectors.http import Answer, Http, segment
from casemate.connectors.push.parcel import Given, Parcel, PushRefused
from casemate.connectors.settings import TheHiveSettings
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.plain import plain
from casemate.policy import Policy

TYPE = "casemate"
JSON = {"Content-Type": "application/json"}
MOST = 1_000
DESCRIPTION = 500_000
SEVERITIES = {1: 4, 2: 3, 3: 2, 4: 1, 5: 1}
"""Priority of the case -> severity there: 4 critical, 3 high, 2 medium, 1 low."""

TLP = {Marking.CLEAR: 0, Marking.GREEN: 1, Marking.AMBER: 2, Marking.AMBER_STRICT: 3, Marking.RED: 4}
"""TheHive's numbers since it follows TLP 2.0."""

PAP_AMBER = 2
DATA_TYPES = {
    "ipv4-addr": "ip",
    "ipv6-addr": "ip",
    "domain-name": "domain",
    "url": "url",
    "email-addr": "mail",
    "file": "hash",
    "file-path": "filename",
    "user-agent": "user-agent",
    "windows-registry-key": "registry",
    "autonomous-system": "autonomous-system",
}
"""STIX name of an observable -> data type that every TheHive has; anything else is `other`."""

_ID = re.compile(r"[~A-Za-z0-9_-]{1,100}")


class TheHiveReceiver:
    """Creates one alert for each edition of a case; TheHive refuses a second alert of the same source and reference."""

    def __init__(self, settings: TheHiveSettings, policy: Policy) -> None:
        self._http = Http(settings.server, policy)
        self._headers = {**JSON, **({"X-Organisation": settings.organisation} if settings.organisation else {})}
        self._source = settings.source
        self._makes_case = settings.gives == "case"

    def give(self, parcel: Parcel) -> Given:
        """Create the alert of one edition, or find the one that is there; and the case of it, where one is wanted."""
        alert = alert_of(parcel, self._source)
        body = orjson.dumps(alert)
        answer = self._http.ask("POST", "/api/v1/alert", body=body, headers=self._headers)
        if answer.status in {400, 413}:
            known = self._find(_equal("sourceRef", str(alert["sourceRef"]))) if answer.status == 400 else []
            if not known:
                raise self._refused(answer)
            made = known[0]
        else:
            made = self._http.expect(answer, 201).json()
        if made.get("sourceRef") != alert["sourceRef"] or not _is_id(made.get("_id")):
            raise PushRefused(f"{self._http.host}: an answer that is not about this alert", way_out="check the address")
        return Given.of(self._case_of(made, parcel) if self._makes_case else made["_id"], body)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _case_of(self, alert: Mapping[str, Any], parcel: Parcel) -> str:
        """Give the case that an alert stands in: the one it is in, the one of an earlier edition, or a new one."""
        if _is_id(alert.get("caseId")):
            return f"case {alert['caseId']}"
        begins = {"_startsWith": {"_field": "sourceRef", "_value": f"{parcel.case.id}-"}}
        path = f"/api/v1/alert/{segment(str(alert['_id']))}"
        earlier = sorted({str(one["caseId"]) for one in self._find(begins) if _is_id(one.get("caseId"))})
        for case in earlier:
            answer = self._http.ask("POST", f"{path}/merge/{segment(case)}", body=b"{}", headers=self._headers)
            if answer.status not in {400, 404}:  # which it answers when that case was deleted there
                return self._named_case(answer)
        return self._named_case(self._http.ask("POST", f"{path}/case", body=b"{}", headers=self._headers))

    def _named_case(self, answer: Answer) -> str:
        if answer.status in {400, 404}:
            raise self._refused(answer)
        made = self._http.expect(answer, 200, 201).json()
        if not _is_id(made.get("_id")):
            raise PushRefused(f"{self._http.host}: an answer that is not about a case", way_out="check the address")
        return f"case {made['_id']}"

    def _find(self, condition: Mapping[str, object]) -> list[dict[str, Any]]:
        """Find the alerts of ours that fulfil a condition."""
        every = [_equal("type", TYPE), _equal("source", self._source), condition]
        query = {"query": [{"_name": "listAlert"}, {"_name": "filter", "_and": every}]}
        answer = self._http.ask("POST", "/api/v1/query", body=orjson.dumps(query), headers=self._headers)
        try:
            found = orjson.loads(self._http.expect(answer, 200).body)
        except ValueError:
            return []
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _refused(self, answer: Answer) -> PushRefused:
        told = f"{self._http.host}: HTTP {answer.status}: {self._http.said(answer)}"
        return PushRefused(told, way_out="see the log of TheHive")


def alert_of(parcel: Parcel, source: str) -> dict[str, object]:
    """Make the alert: what a person reads as Markdown, and the first thousand observables as TheHive's own."""
    case = parcel.case.reworded()
    told = parcel.rendered("markdown").decode("utf-8")
    more = len(case.observables) - MOST
    if more > 0:
        told = f"{more:,} observables more stand in casemate.\n\n{told}"
    tags = [f"casemate:{case.disposition.value}", f"casemate:case={case.id}"]
    observables: dict[tuple[str, str], dict[str, object]] = {}
    for seen in case.observables[:MOST]:
        made = _observable(seen, TLP[case.marking])
        observables.setdefault((str(made["dataType"]), str(made["data"])), made)
    return {
        "type": TYPE,
        "source": source,
        "sourceRef": f"{case.id}-{parcel.edition[:16]}",
        "title": (plain(case.title) or case.id)[:500],
        "description": told[:DESCRIPTION],
        "severity": SEVERITIES.get(case.assessment.proposal.priority, 2),
        "date": int(case.created.timestamp() * 1000),
        "tags": [plain(tag) for tag in tags],
        "tlp": TLP[case.marking],
        "pap": PAP_AMBER,
        "observables": list(observables.values()),
    }


def _observable(seen: Observable, tlp: int) -> dict[str, object]:
    kind = DATA_TYPES.get(seen.type, "other")
    value = plain(seen.value) if kind != "other" else plain(f"{seen.type}: {seen.value}")
    message = f"seen {seen.count} times" + (f"; flags: {plain(', '.join(seen.flags))}" if seen.flags else "")
    return {"dataType": kind, "data": value[:1_000], "message": message[:1_000], "tlp": tlp, "ioc": False}


def _equal(name: str, value: str) -> dict[str, object]:
    return {"_eq": {"_field": name, "_value": value}}


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None

"""A case as an alert of TheHive 5 (`POST /api/v1/alert`), from which people there make a case when they want one."""

import orjson

from casemate.connectors.http import Answer, Http
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
SAID = 200
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


class TheHiveReceiver:
    """Creates one alert for each edition of a case; TheHive refuses a second alert of the same source and reference."""

    def __init__(self, settings: TheHiveSettings, policy: Policy) -> None:
        self._http = Http(settings.server, policy)
        self._headers = {**JSON, **({"X-Organisation": settings.organisation} if settings.organisation else {})}
        self._source = settings.source

    def give(self, parcel: Parcel) -> Given:
        """Create the alert of one edition, or find the one that is there."""
        alert = alert_of(parcel, self._source)
        body = orjson.dumps(alert)
        answer = self._http.ask("POST", "/api/v1/alert", body=body, headers=self._headers)
        if answer.status in {400, 413}:
            there = self._find(str(alert["sourceRef"])) if answer.status == 400 else None
            if there is None:
                raise PushRefused(
                    f"{self._http.host}: HTTP {answer.status}: {_said(answer)}", way_out="see the log of TheHive"
                )
            return Given.of(there, body)
        made = self._http.expect(answer, 201).json()
        if made.get("sourceRef") != alert["sourceRef"] or not isinstance(made.get("_id"), str):
            raise PushRefused(f"{self._http.host}: an answer that is not about this alert", way_out="check the address")
        return Given.of(made["_id"], body)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _find(self, reference: str) -> str | None:
        """Find the alert of a reference; None when there is none."""
        wanted = {"type": TYPE, "source": self._source, "sourceRef": reference}
        equal = [{"_eq": {"_field": name, "_value": value}} for name, value in wanted.items()]
        query = {"query": [{"_name": "listAlert"}, {"_name": "filter", "_and": equal}]}
        answer = self._http.ask("POST", "/api/v1/query", body=orjson.dumps(query), headers=self._headers)
        try:
            found = orjson.loads(self._http.expect(answer, 200).body)
        except ValueError:
            return None
        for one in found if isinstance(found, list) else ():
            if isinstance(one, dict) and one.get("sourceRef") == reference and isinstance(one.get("_id"), str):
                return str(one["_id"])
        return None


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


def _said(answer: Answer) -> str:
    return plain(answer.body[: 4 * SAID].decode("utf-8", "replace"))[:SAID]

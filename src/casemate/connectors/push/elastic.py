"""A case as one document of Elasticsearch or OpenSearch, kept in its newest edition."""

import orjson

from casemate.connectors.http import Http, segment
from casemate.connectors.push.parcel import Given, Parcel, PushRefused
from casemate.connectors.settings import ElasticPushSettings
from casemate.core.plain import plain
from casemate.policy import Policy
from casemate.stages.export.view import kept

MOST = 10_000


class ElasticReceiver:
    """Writes documents under the id of the case; an older edition never replaces a newer one."""

    def __init__(self, settings: ElasticPushSettings, policy: Policy) -> None:
        self._http = Http(settings.server, policy, "ApiKey")
        self._index = settings.index

    def give(self, parcel: Parcel) -> Given:
        """Write the document of one case."""
        body = orjson.dumps(document(parcel))
        path = f"/{self._index}/_doc/{segment(parcel.case.id)}"
        version = {"version": str(parcel.revision), "version_type": "external_gte"}
        answer = self._http.ask("PUT", path, body=body, params=version, headers={"Content-Type": "application/json"})
        if answer.status in {400, 409, 413}:  # it does not fit the mapping, a newer edition is there, it is too large
            raise PushRefused(f"{self._http.host}: HTTP {answer.status}", way_out="see mapping and log of the index")
        found = self._http.expect(answer, 200, 201).json()
        shards = found.get("_shards")
        if found.get("_id") != parcel.case.id or not isinstance(shards, dict) or shards.get("failed") != 0:
            raise PushRefused(
                f"{self._http.host}: an answer that does not tell of this case", way_out="check the index"
            )
        return Given.of(f"{found.get('_index')}/{found['_id']}", body)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def document(parcel: Parcel) -> dict[str, object]:
    """Make the document: flat fields, and lists of values, whatever the case holds."""
    case = parcel.case.reworded()
    review = case.reviews[-1]
    observables: dict[str, list[str]] = {}
    for seen in case.observables[:MOST]:
        observables.setdefault(seen.type, []).append(plain(seen.value)[:1000])
    return {
        "@timestamp": review.time.isoformat(),
        "case": {
            "id": case.id,
            "title": plain(case.title),
            "created": case.created.isoformat(),
            "disposition": case.disposition.value,
            "marking": case.marking.label,
            "priority": case.assessment.proposal.priority,
            "edition": parcel.edition,
            "revision": parcel.revision,
        },
        "summary": [plain(sentence.text) for sentence in case.assessment.summary],
        "findings": [
            {"kind": one.kind, "title": plain(one.title), "reference": plain(one.reference)} for one in kept(case)
        ],
        "observables": [{"type": name, "values": values} for name, values in observables.items()],
        "review": {"reviewer": plain(review.reviewer), "role": plain(review.role), "reason": plain(review.reason)},
        "evidence": [{"sha256": one.id, "name": plain(one.source)} for one in case.evidence],
    }

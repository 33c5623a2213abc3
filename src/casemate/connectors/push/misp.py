"""A case as a MISP event (automation API: `events/view`, `events/add`, `events/edit`); never published from here."""

import json
import re

from casemate.connectors.http import Answer, Http
from casemate.connectors.push.parcel import Given, Parcel, PushRefused
from casemate.connectors.settings import MispSettings
from casemate.policy import Policy

JSON = {"Content-Type": "application/json"}
_ID = re.compile(r"\d{1,20}")


class MispReceiver:
    """Adds one event a case, under a UUID made of the case; a case that is decided anew edits its event."""

    def __init__(self, settings: MispSettings, policy: Policy) -> None:
        self._http = Http(settings.server, policy, "plain")

    def give(self, parcel: Parcel) -> Given:
        """Add the event of one case, or edit the one that is there."""
        body = parcel.rendered("misp")
        event = json.loads(body)["Event"]
        uuid = str(event["uuid"])
        there = self._http.expect(self._http.ask("GET", f"/events/view/{uuid}"), 200, 404)
        if there.status == 200:
            self._check(there, uuid)
            # MISP takes an edit only when it is newer than what somebody did there; without a time it is of now.
            event.pop("timestamp", None)
            body = json.dumps({"Event": event}, sort_keys=True).encode("ascii")
        path = "/events/add" if there.status == 404 else f"/events/edit/{uuid}"
        answer = self._http.ask("POST", path, body=body, headers=JSON)
        if answer.status in {400, 403, 405, 413} and self._is_about_the_event(answer):
            raise PushRefused(
                f"{self._http.host}: HTTP {answer.status}: {self._http.said(answer)}", way_out="see MISP's log"
            )
        number = self._check(self._http.expect(answer, 200), uuid)
        return Given.of(f"event {number} {uuid}", body)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _check(self, answer: Answer, uuid: str) -> str:
        """Give the number of the event in an answer; `PushRefused` when the answer is about another one."""
        event = answer.json().get("Event")
        if not isinstance(event, dict) or event.get("uuid") != uuid:
            raise PushRefused(f"{self._http.host}: an answer that is not about this event", way_out="check the address")
        number = str(event.get("id"))
        return number if _ID.fullmatch(number) else "?"

    def _is_about_the_event(self, answer: Answer) -> bool:
        # MISP answers 403 to a wrong key as well as to an event it does not take; only the latter tells `saved`.
        return answer.status == 413 or answer.json().get("saved") is False

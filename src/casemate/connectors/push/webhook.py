"""A case as JSON to any program, signed as the Standard Webhooks specification says (standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
import time

from casemate.connectors.http import Http
from casemate.connectors.push.parcel import Given, Parcel, PushRefused
from casemate.connectors.settings import WebhookSettings
from casemate.core.errors import WrongUsage
from casemate.policy import Policy

REFUSALS = frozenset({400, 409, 413, 415, 422})


class WebhookReceiver:
    """Posts the case; any status of 200 to 299 means that it was taken."""

    def __init__(self, settings: WebhookSettings, policy: Policy) -> None:
        self._http = Http(settings.server, policy, "")
        self._name = settings.name
        if not self._http.secret:
            raise WrongUsage(
                f"out.{settings.name}: a webhook needs a secret to sign with", way_out="name secret_file or secret_env"
            )
        self._key = signing_key(self._http.secret)

    def give(self, parcel: Parcel) -> Given:
        """Post one case; the id is the same for the same edition, so that a receiver can pass over a second one."""
        body = parcel.rendered("json")
        id_ = f"{parcel.case.id}.{parcel.edition[:32]}"
        moment = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": moment,
            "webhook-signature": signature(self._key, id_, moment, body),
        }
        answer = self._http.ask("POST", "", body=body, headers=headers)
        if answer.status in REFUSALS:
            raise PushRefused(f"{self._http.host}: HTTP {answer.status}", way_out="see the log of the receiver")
        self._http.expect(answer, *range(200, 300))
        return Given.of(id_, body)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def signing_key(secret: str) -> bytes:
    """Give the key of a secret: `whsec_` and base64 as the specification writes it, else its own bytes."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise WrongUsage(
            "the secret of a webhook begins with whsec_ and is no base64", way_out="write it anew"
        ) from error


def signature(key: bytes, id_: str, moment: str, body: bytes) -> str:
    """Sign id, time and body with HMAC-SHA256."""
    signed = hmac.new(key, f"{id_}.{moment}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"

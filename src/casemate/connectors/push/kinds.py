"""The registry of receivers: what each kind of settings is opened as."""

from collections.abc import Callable, Mapping
from typing import Any

from casemate.connectors.push.elastic import ElasticReceiver
from casemate.connectors.push.misp import MispReceiver
from casemate.connectors.push.parcel import Receiver
from casemate.connectors.push.taxii import TaxiiReceiver
from casemate.connectors.push.thehive import TheHiveReceiver
from casemate.connectors.push.webhook import WebhookReceiver
from casemate.connectors.settings import (
    ElasticPushSettings,
    MispSettings,
    Outgoing,
    TaxiiPushSettings,
    TheHiveSettings,
    WebhookSettings,
)
from casemate.policy import Policy

RECEIVERS: Mapping[type[Outgoing], Callable[[Any, Policy], Receiver]] = {
    WebhookSettings: WebhookReceiver,
    ElasticPushSettings: ElasticReceiver,
    MispSettings: MispReceiver,
    TaxiiPushSettings: TaxiiReceiver,
    TheHiveSettings: TheHiveReceiver,
}
"""Settings -> what gives by them."""


def open_receiver(settings: Outgoing, policy: Policy) -> Receiver:
    """Open a receiver; `RefusedByPolicy` when its host is not allowed."""
    return RECEIVERS[type(settings)](settings, policy)

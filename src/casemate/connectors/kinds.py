"""The registry of the room: what each kind of settings is opened as."""

import glob
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casemate.connectors.elastic import ElasticSource
from casemate.connectors.folder import FolderSource
from casemate.connectors.records import SuricataRecords, WazuhRecords
from casemate.connectors.settings import (
    ElasticSettings,
    FolderSettings,
    Incoming,
    OpenSearchSettings,
    SuricataSettings,
    SyslogSettings,
    TaxiiSettings,
    WazuhIndexerSettings,
    WazuhSettings,
)
from casemate.connectors.source import Source
from casemate.connectors.syslog import SyslogSource
from casemate.connectors.tail import TailSource
from casemate.connectors.taxii import TaxiiSource
from casemate.policy import Policy


def _folder(settings: FolderSettings, policy: Policy) -> Source:
    return FolderSource(settings, policy.limits)


def _wazuh(settings: WazuhSettings, policy: Policy) -> Source:
    # Wazuh keeps each day's alerts beside the current file, in folders by year and month.
    beside = f"{glob.escape(str(Path(settings.path).parent))}/*/*/ossec-alerts-*.json"
    return TailSource(settings, policy.limits, WazuhRecords(settings), (beside,))


def _suricata(settings: SuricataSettings, policy: Policy) -> Source:
    return TailSource(settings, policy.limits, SuricataRecords(settings))


def _syslog(settings: SyslogSettings, policy: Policy) -> Source:
    return SyslogSource(settings, policy.limits)


def _shown_syslog(settings: SyslogSettings) -> str:
    doors = {"UDP": settings.udp_port, "TCP": settings.tcp_port, "TLS": settings.tls_port}
    ports = ", ".join(f"{name} {port}" for name, port in doors.items() if port is not None)
    return f"syslog on {settings.host} ({ports}) from {', '.join(settings.senders)}"


def _shown_index(settings: ElasticSettings) -> str:
    return f"documents of the index {settings.index} at {settings.server.url}"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a source is opened, and what `casemate connect check` says of it."""

    open: Callable[[Any, Policy], Source]
    shown: Callable[[Any], str]


SOURCES: Mapping[type[Incoming], Kind] = {
    FolderSettings: Kind(_folder, lambda one: f"files of the folder {one.path}"),
    WazuhSettings: Kind(_wazuh, lambda one: f"alerts of Wazuh's file {one.path}"),
    SuricataSettings: Kind(_suricata, lambda one: f"{', '.join(one.event_types)} of Suricata's file {one.path}"),
    SyslogSettings: Kind(_syslog, _shown_syslog),
    ElasticSettings: Kind(ElasticSource, _shown_index),
    OpenSearchSettings: Kind(ElasticSource, _shown_index),
    WazuhIndexerSettings: Kind(ElasticSource, _shown_index),
    TaxiiSettings: Kind(TaxiiSource, lambda one: f"the collection {one.collection} at {one.server.url}"),
}
"""Settings -> what reads by them."""


def open_source(settings: Incoming, policy: Policy) -> Source:
    """Open a source; `RefusedByPolicy` when its host is not allowed."""
    return SOURCES[type(settings)].open(settings, policy)


def shown_source(settings: Incoming) -> str:
    """Say in words where a source reads."""
    return SOURCES[type(settings)].shown(settings)

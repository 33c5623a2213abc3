"""Event: one thing that a log or an alert says happened."""

from dataclasses import dataclass
from datetime import datetime

FIELD_NAMES = (
    "device.hostname",
    "device.ip",
    "src_endpoint.ip",
    "src_endpoint.port",
    "src_endpoint.hostname",
    "dst_endpoint.ip",
    "dst_endpoint.port",
    "dst_endpoint.hostname",
    "actor.user.name",
    "user.name",
    "process.name",
    "process.pid",
    "process.cmd_line",
    "parent_process.cmd_line",
    "file.path",
    "file.hash",
    "http_request.url",
    "http_request.method",
    "http_request.user_agent",
    "http_response.code",
    "query.hostname",
    "email.subject",
    "email.from",
    "email.to",
    "api.operation",
    "status",
    "app_name",
)
"""The attribute names that `Event.fields` may use: OCSF 1.x attribute paths (schema.ocsf.io)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record of a log or one alert, reduced to what triage needs.

    `part` is the `Opened` it was read from; `start` and `end` select the record in the normalised text. `kind` is the
    reader's name (`wazuh`, `suricata`, `windows-event`, `sshd`, ...). `time` is aware UTC or None. `severity` is the
    OCSF `severity_id`: 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 6 fatal. `is_alert` is true
    when a detection raised it, false for a plain record. `rule` names the detection (alert) or the event class (`4625
    An account failed to log on`). `techniques` are the ATT&CK ids the record itself carries. `fields` are (OCSF
    attribute, value) pairs, each value a string as received; names from `FIELD_NAMES` only.
    """

    part: int
    start: int
    end: int
    kind: str
    time: datetime | None
    rule: str
    message: str
    severity: int = 0
    is_alert: bool = False
    techniques: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()

    def field(self, name: str) -> str:
        """Return the first value under an OCSF attribute name, empty when the record has none."""
        return next((value for key, value in self.fields if key == name), "")

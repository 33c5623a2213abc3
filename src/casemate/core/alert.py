"""Alerts on their way in: what was received, the group it joins, and the job that will look at it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from casemate.core.assessment import Disposition
from casemate.core.digest import Digest
from casemate.core.marking import Marking


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert (or one file) as received, and what it is grouped by.

    `rule`, `entity` and `template` are hostile text, cut to a few hundred characters. `severity` is the OCSF
    `severity_id`; `time` is aware UTC, None where the alert has none.
    """

    data: bytes
    rule: str
    entity: str
    template: str
    kind: str
    severity: int
    time: datetime | None


def name_alert(rule: str, template: str) -> str:
    """Name an alert that nobody has looked at: its rule, else its template, else nothing where that is hardly words."""
    letters = sum(letter.isalpha() for letter in template)
    return rule or (template if 4 * letters > len(template) else "")


@dataclass(frozen=True, slots=True)
class Resumable:
    """How far a request with an idempotency key came: `lines` lines whose running SHA-256 is `digest`.

    `answer` is what was answered, None while the request has not ended.
    """

    person: str
    key: str
    lines: int
    digest: Digest
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a connector has read one of its inputs; `place` is text that only the connector reads.

    `input` names a file by its path or digest, an index, a collection: whatever the connector reads in order.
    """

    connector: str
    input: str
    place: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """Alerts handed over together by one sender under one marking.

    `separate` is true for records a line each, false for one file. `source` is the name the sender gave. `cursors` are
    kept in the transaction that stores the alerts, so that a crash can neither lose nor repeat any.
    """

    sender: str
    marking: Marking
    source: str
    separate: bool
    alerts: tuple[Alert, ...]
    resumable: Resumable | None = None
    cursors: tuple[Cursor, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: alerts stored, groups it opened, and the numbers of all groups it went to."""

    alerts: int
    opened: int
    groups: tuple[int, ...]


class GroupState(StrEnum):
    """Where a group stands."""

    WAITING = "waiting"  # no case yet
    READY = "ready"  # a case is proposed, nobody has looked
    IN_REVIEW = "in-review"
    AWAITING = "awaiting-second"  # decided by one person, and a second must confirm it
    CLOSED = "closed"
    FAILED = "failed"  # its job is a dead letter


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that say the same: the same rule about the same entity in the same words, under one marking.

    `first_seen` and `last_seen` are the times the alerts tell, else when they were received. `priority` is 1 (look now)
    to 5; `disposition` what is proposed or decided, None before there is a case.
    """

    number: int
    rule: str
    entity: str
    template: str
    kind: str
    marking: Marking
    count: int
    first_seen: datetime
    last_seen: datetime
    received: datetime
    severity: int
    priority: int
    state: GroupState
    case: str | None
    title: str
    disposition: Disposition | None
    changed: int

    @property
    def per_hour(self) -> float:
        """How many alerts an hour between the first and the last; the count itself within one hour."""
        hours = (self.last_seen - self.first_seen).total_seconds() / 3600
        return self.count / max(hours, 1.0)


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to one job until `until`; whoever lost it can store nothing more for the job."""

    job: int
    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """One group to be triaged. `through` is the last alert number it looks at, fixed when it is first taken."""

    number: int
    group: int
    marking: Marking
    state: JobState
    priority: int
    attempts: int
    created: datetime
    ended: datetime | None = None
    owner: str = ""
    reason: str = ""
    through: int | None = None

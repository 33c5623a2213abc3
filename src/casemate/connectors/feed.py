"""The way in for everything a connector reads: alerts and the place they were read up to are one transaction."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from casemate.audit import NewAuditEvent
from casemate.core.alert import Alert, Cursor, Delivery
from casemate.core.digest import digest_bytes
from casemate.core.marking import Marking
from casemate.core.plain import plain
from casemate.pipeline.intake import read_alert, whole_file
from casemate.policy import Limits
from casemate.store import Store

LOOK_AGAIN = 1.0
SHOWN = 300

Tell = Callable[[str, str, str], None]
"""Tells an operator: the name of the connector, a kebab-case word, and a sentence that is safe to show."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What a source hands alerts to. `patient` says whether a full queue is waited for or ends the round."""

    name: str
    marking: Marking
    store: Store
    limits: Limits
    stopping: threading.Event
    tell: Tell
    patient: bool = True

    @property
    def sender(self) -> str:
        """Who the deliveries come from, as the audit chain names it."""
        return f"connector:{self.name}"

    def room(self) -> bool:
        """Wait until the queue takes more; false when the round has to end."""
        waited = False
        while not self.stopping.is_set():
            if self.store.queue().waiting() < self.limits.queue_jobs:
                return True
            if not self.patient:
                self.tell(self.name, "queue-full", "too many jobs wait; nothing more is read this time")
                return False
            if not waited:
                self.tell(self.name, "queue-full", "too many jobs wait; reading goes on when there are fewer")
            waited = True
            self.stopping.wait(LOOK_AGAIN)
        return False

    def hand_lines(self, source: str, lines: Sequence[bytes], cursors: Sequence[Cursor] = ()) -> None:
        """Store records, a line each, with the places they were read up to; without lines only the places."""
        if lines:
            self.hand([self.delivery(source, lines, cursors)])
        elif cursors:
            self.store.cursors().put(cursors)

    def hand_file(
        self, source: str, data: bytes, cursors: Sequence[Cursor] = (), marking: Marking | None = None
    ) -> None:
        """Store one file as one alert."""
        shown = plain(source)[:SHOWN]
        alert = whole_file(data, digest_bytes(data), shown)
        self.hand([self._made(shown, (alert,), cursors, marking or self.marking, separate=False)])

    def delivery(self, source: str, lines: Sequence[bytes], cursors: Sequence[Cursor] = ()) -> Delivery:
        """Make a delivery of records, a line each."""
        now = datetime.now(UTC)
        alerts = tuple(read_alert(line, self.limits, now) for line in lines)
        return self._made(plain(source)[:SHOWN], alerts, cursors, self.marking, separate=True)

    def hand(self, deliveries: Sequence[Delivery]) -> None:
        """Store deliveries in one transaction."""
        self.store.queue().receive(deliveries)

    def cursor(self, input_: str, place: str) -> Cursor:
        """Make the cursor of one input of this connector."""
        return Cursor(self.name, input_, place)

    def place(self, input_: str) -> str | None:
        """Read how far an input was read; None when it was not."""
        return self.store.cursors().place(self.name, input_)

    def places(self) -> dict[str, str]:
        """Read how far every input of this connector was read."""
        return self.store.cursors().of(self.name)

    def forget(self, inputs: Sequence[str]) -> None:
        """Forget places that can never be asked for again."""
        if inputs:
            self.store.cursors().forget(self.name, inputs)

    def record(self, code: str, subject: str, sentence: str, body: Sequence[tuple[str, str]] = ()) -> None:
        """Tell of something that was not taken, and write it into the audit chain, which holds no hostile text."""
        named = ("input-sha256", str(digest_bytes(subject.encode("utf-8", "surrogatepass"))))
        event = NewAuditEvent(self.sender, f"connector.{code}", self.name, (named, *body))
        self.store.record(event)
        self.tell(self.name, code, plain(sentence)[: 2 * SHOWN])

    def _made(
        self,
        source: str,
        alerts: tuple[Alert, ...],
        cursors: Sequence[Cursor],
        marking: Marking,
        *,
        separate: bool,
    ) -> Delivery:
        return Delivery(self.sender, marking, source, separate, alerts, cursors=tuple(cursors))

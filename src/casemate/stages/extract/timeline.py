"""Events to timeline entries: the same thing by the same actor is one line with a count."""

from dataclasses import dataclass

from casemate.core.event import Event

ENTITIES = (
    "src_endpoint.ip",
    "actor.user.name",
    "user.name",
    "process.name",
    "dst_endpoint.ip",
    "query.hostname",
    "device.hostname",
)
"""The attributes that tell two events of the same rule apart, the most telling first."""


@dataclass(slots=True)
class Group:
    """Events of one kind, rule and entity; `event` is the first of them, `last` the last one seen."""

    event: Event
    last: Event
    count: int = 1


def entity_of(event: Event) -> str:
    """Name who or what an event is about: the first of `ENTITIES` it carries, empty when none."""
    for name in ENTITIES:
        value = event.field(name)
        if value:
            return value
    return ""


class Timeline:
    """Groups events as they stream by, in bounded memory.

    At most `limit` groups are kept; once they are full, a plain record opens no new group, while an alert pushes out
    the commonest group of plain records. `overflow` counts the events that found no place.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._groups: dict[tuple[str, str, str], Group] = {}
        self.overflow = 0

    def see(self, event: Event) -> None:
        """Count one event; events without a time are not for a timeline and are passed over."""
        if event.time is None:
            return
        key = (event.kind, event.rule, entity_of(event))
        group = self._groups.get(key)
        if group is not None:
            group.count += 1
            self._stretch(group, event)
            return
        if len(self._groups) >= self._limit and not self._make_room(event):
            self.overflow += 1
            return
        self._groups[key] = Group(event, event)

    @staticmethod
    def _stretch(group: Group, event: Event) -> None:
        assert event.time is not None
        if group.last.time is None or event.time >= group.last.time:
            group.last = event
        elif group.event.time is not None and event.time < group.event.time:
            group.event = event

    def _make_room(self, event: Event) -> bool:
        if not event.is_alert:
            return False
        plain = [(group.count, key) for key, group in self._groups.items() if not group.event.is_alert]
        if not plain:
            return False
        count, key = max(plain)
        del self._groups[key]
        self.overflow += count
        return True

    def groups(self) -> tuple[Group, ...]:
        """Give the groups in the order of their first event."""
        return tuple(sorted(self._groups.values(), key=lambda group: (group.event.time, group.event.start)))

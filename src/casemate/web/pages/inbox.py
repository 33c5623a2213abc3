"""The inbox (what waits to be looked at), one group of it, and the list of all cases."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Query, Request, Response

from casemate.core.alert import GroupState
from casemate.core.assessment import Disposition
from casemate.core.case import State
from casemate.core.marking import Marking
from casemate.store import CaseQuery, GroupQuery
from casemate.web.api.queue import note_reading
from casemate.web.doorkeeper import Asked
from casemate.web.pages.render import render_page
from casemate.web.problems import Refused

ROWS = 50
ALERTS = 20
AGES = {
    "1h": "in the last hour",
    "8h": "in the last 8 hours",
    "24h": "in the last day",
    "over-8h": "over 8 hours ago",
    "over-24h": "over a day ago",
}

Words = Annotated[str, Query(max_length=200)]
Choice = Annotated[str, Query(max_length=30)]
Cursor = Annotated[str, Query(max_length=400)]
Member = TypeVar("Member", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Filters:
    """What both lists can be filtered by, as the form sends it; empty is everything."""

    q: Words = ""
    priority: Choice = ""
    disposition: Choice = ""
    marking: Choice = ""
    state: Choice = ""


Filtered = Annotated[Filters, Depends()]


def show_inbox(
    request: Request, visit: Asked, filters: Filtered, age: Choice = "", closed: Choice = "", after: Cursor = ""
) -> Response:
    """Show alert groups, the most urgent first; a form without scripts filters them."""
    since, before = _seen(age)
    wanted = GroupQuery(
        open=None if closed or filters.state == GroupState.CLOSED else True,
        state=_chosen(GroupState, filters.state),
        disposition=_chosen(Disposition, filters.disposition),
        marking=_chosen(Marking, filters.marking),
        priority=_priority(filters.priority),
        text=filters.q,
        seen_since=since,
        seen_before=before,
    )
    asked = {**asdict(filters), "age": age, "closed": closed}
    page = visit.seen.groups(wanted, ROWS, after)
    values = {"page": page, "asked": asked, "after": after, "filtered": any(asked.values()), "live": True, "ages": AGES}
    return render_page(request, "inbox", {**values, **_choices(visit, GroupState)})


def show_cases(request: Request, visit: Asked, filters: Filtered, after: Cursor = "") -> Response:
    """Show all cases, also those made at the command line, the newest first."""
    wanted = CaseQuery(
        state=_chosen(State, filters.state),
        disposition=_chosen(Disposition, filters.disposition),
        marking=_chosen(Marking, filters.marking),
        priority=_priority(filters.priority),
        text=filters.q,
    )
    asked = asdict(filters)
    page = visit.seen.cases(wanted, ROWS, after)
    values = {"page": page, "asked": asked, "after": after, "filtered": any(asked.values())}
    return render_page(request, "cases", {**values, **_choices(visit, State)})


def show_group(
    request: Request, visit: Asked, number: Annotated[int, Path(ge=1, le=2**53)], after: Cursor = ""
) -> Response:
    """Show the alerts of one group as they were received."""
    group = visit.seen.group(number)
    if group is None:
        raise Refused(404, "there is no such group")
    page = visit.seen.alerts(number, ALERTS, after)
    note_reading(visit, group.marking, f"group {number}")
    return render_page(request, "group", {"group": group, "page": page})


def _choices(visit: Asked, states: type[StrEnum]) -> dict[str, object]:
    order = list(Marking)
    reached = order[: order.index(visit.person.clearance) + 1]
    return {"states": list(states), "dispositions": list(Disposition), "markings": reached}


def _chosen(kind: type[Member], value: str) -> Member | None:
    if not value:
        return None
    try:
        return kind(value)
    except ValueError:
        raise Refused(400, "this filter has no such value", "choose one of the list") from None


def _seen(age: str) -> tuple[datetime | None, datetime | None]:
    if not age:
        return None, None
    if age not in AGES:
        raise Refused(400, "this filter has no such value", "choose one of the list")
    hours = int(age.removeprefix("over-").removesuffix("h"))
    border = datetime.now(UTC) - timedelta(hours=hours)
    return (None, border) if age.startswith("over-") else (border, None)


def _priority(value: str) -> int | None:
    if value and value not in {"1", "2", "3", "4", "5"}:
        raise Refused(400, "a priority is a number from 1 to 5", "choose one of the list")
    return int(value) if value else None

"""The queue: groups of alerts, jobs, and what changes while somebody looks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import orjson
from fastapi import Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from casemate.core.alert import Group, GroupState, Job, JobState
from casemate.core.assessment import Disposition
from casemate.core.marking import Marking
from casemate.store import GroupQuery, RawAlert
from casemate.web.api.answers import Limit, List
from casemate.web.doorkeeper import Asked, Visit, require_again
from casemate.web.problems import Refused

Number = Annotated[int, Path(ge=1, le=2**53)]
Cursor = Annotated[str, Query(max_length=400, description="`next` of the page before")]


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("there is no such time in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc), Query(description="with a time zone")]

STREAM = {"responses": {"200": {"description": "Changes", "content": {"text/event-stream": {}}}}}
EVERY_SECONDS = 1.0
LONGEST_SECONDS = 3600.0
BATCH = 200


def list_groups(
    visit: Asked,
    *,
    closed: bool = False,
    state: GroupState | None = None,
    disposition: Disposition | None = None,
    marking: Marking | None = None,
    priority: Annotated[int | None, Query(ge=1, le=5)] = None,
    q: Annotated[str, Query(max_length=200)] = "",
    seen_since: Moment | None = None,
    seen_before: Moment | None = None,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> List[Group]:
    """List alert groups, the most urgent first, then the one seen last; `closed` takes in the closed ones."""
    wanted = GroupQuery(None if closed else True, state, disposition, marking, priority, q, seen_since, seen_before)
    page = visit.seen.groups(wanted, limit, cursor)
    return List(page.rows, page.next)


def show_group(visit: Asked, number: Number) -> Group:
    """Show one alert group; `case` names its case once there is one. Reading what is marked red is recorded."""
    group = _or_missing(visit.seen.group(number), "group")
    note_reading(visit, group.marking, f"group {number}")
    return group


def list_alerts(visit: Asked, number: Number, limit: Limit = 20, cursor: Cursor = "") -> List[RawAlert]:
    """Give the alerts of a group as they were received, oldest first; reading what is marked red is recorded."""
    group = _or_missing(visit.seen.group(number), "group")
    page = visit.seen.alerts(number, limit, cursor)
    note_reading(visit, group.marking, f"group {number}")
    return List(page.rows, page.next)


def list_jobs(visit: Asked, state: JobState | None = None, limit: Limit = 50, cursor: Cursor = "") -> List[Job]:
    """List jobs, the newest first; dead letters are the ones in state `dead`, each with its reason."""
    page = visit.seen.jobs(state, limit, cursor)
    return List(page.rows, page.next)


def show_job(visit: Asked, number: Number) -> Job:
    """Show one job."""
    return _or_missing(visit.seen.job(number), "job")


def retry_job(visit: Asked, number: Number) -> Job:
    """Put a dead letter back into the queue."""
    job = _or_missing(visit.seen.job(number), "job")
    if job.state is not JobState.DEAD:
        raise Refused(409, f"job {number} is no dead letter")
    visit.store.queue().retry(visit.person.name, number)
    return _or_missing(visit.seen.job(number), "job")


def note_reading(visit: Visit, marking: Marking, subject: str) -> None:
    """Record who read evidence that is marked red."""
    if marking is Marking.RED:
        from casemate.audit import NewAuditEvent

        visit.store.record(NewAuditEvent(visit.person.name, "evidence.viewed", subject))


async def follow(
    request: Request, visit: Asked, since: Annotated[int | None, Query(ge=0, le=2**53)] = None
) -> Response:
    """Tell of every group that changes, as Server-Sent Events; `since` or `Last-Event-ID` goes on where it stopped.

    Whose role the policy informs of a decision gets an event `informed` beside it, each time the closed group changes.
    """
    last = request.headers.get("last-event-id", "")
    begin = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else since
    seen = visit.seen
    number = begin if begin is not None else await run_in_threadpool(seen.last_change)
    return StreamingResponse(_changes(request, number), media_type="text/event-stream")


async def _changes(request: Request, number: int) -> AsyncIterator[bytes]:
    yield b"retry: 3000\n\n"
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST_SECONDS
    quiet = 0
    adapter = TypeAdapter(Group)
    while loop.time() < end and not await request.is_disconnected():
        visit = await require_again(request)  # whoever lost the account or the clearance sees nothing more
        if visit is None:
            return
        groups = await run_in_threadpool(visit.seen.changed_since, number, BATCH)
        for place, group in enumerate(groups, 1):
            # Groups that changed together have one number: who has it as the last one heard must have heard them all.
            if place == len(groups) or groups[place].changed != group.changed:
                number = group.changed
                yield b"id: %d\n" % number
            yield b"event: group\ndata: %s\n\n" % orjson.dumps(adapter.dump_python(group, mode="json"))
            if _informs(visit, group):
                yield b"event: informed\ndata: %s\n\n" % orjson.dumps(
                    {"case": group.case, "disposition": group.disposition, "marking": group.marking}
                )
        quiet = 0 if groups else quiet + 1
        if quiet % 15 == 14:
            yield b": still here\n\n"
        if request.app.state.stopping.is_set():
            return
        await asyncio.sleep(EVERY_SECONDS)


def _informs(visit: Visit, group: Group) -> bool:
    if group.state is not GroupState.CLOSED or group.disposition is None:
        return False
    return visit.person.role.value in visit.policy.duties(group.disposition, group.marking).informed


Found = TypeVar("Found")


def _or_missing(found: Found | None, what: str) -> Found:
    if found is None:
        raise Refused(404, f"there is no such {what}")
    return found

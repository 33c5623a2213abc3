"""Evidence on its way in: answered once it is on the disk."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import orjson
from fastapi import Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from casemate.core.alert import Alert, Delivery, Resumable
from casemate.core.digest import Digest, digest_bytes
from casemate.core.marking import Marking
from casemate.core.plain import plain
from casemate.pipeline.intake import looks_like_lines, read_alert, split_lines, whole_file
from casemate.web.doorkeeper import Asked, Visit
from casemate.web.intake import Intake
from casemate.web.problems import Refused

LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
UNSAID = frozenset(
    {"", "application/octet-stream", "application/x-www-form-urlencoded", "application/json", "text/plain"}
)
HEAD = 64 * 1024
BATCH_BYTES = 1024 * 1024
GROUPS_SHOWN = 100
PATIENCE = 30.0
RETRY = {"Retry-After": "10"}

DESCRIPTION = {
    "requestBody": {
        "required": True,
        "description": "One file of any format, or JSON records, a line each: every record is an alert of its own.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}},
            "application/x-ndjson": {"schema": {"type": "string", "minLength": 1}},
        },
    }
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was stored: `alerts` of this request, of them `resumed` by an earlier try with the same key.

    `opened` counts the groups this try began, `groups` numbers the first hundred it went to; each leads to its case.
    """

    alerts: int
    resumed: int
    opened: int
    groups: tuple[int, ...]


@dataclass(slots=True)
class _Body:
    """One request while its body comes in."""

    visit: Visit
    intake: Intake
    marking: Marking
    source: str
    key: str
    before: Resumable | None
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    lines: int = 0
    opened: int = 0
    groups: set[int] = field(default_factory=set)

    def resumable(self, answer: bytes | None = None) -> Resumable | None:
        """Say how far the request is, when it has a key."""
        if not self.key:
            return None
        name = self.visit.person.name
        return Resumable(name, self.key, self.lines, Digest(self.digest.hexdigest()), answer)

    def count(self, line: bytes) -> bool:
        """Count a line; false for one that an earlier try has stored already."""
        self.digest.update(line + b"\n")
        self.lines += 1
        if self.before is None:
            return True
        if self.lines > self.before.lines:
            if self.before.answer is not None:
                raise _reused()
            return True
        if self.lines == self.before.lines and self.digest.hexdigest() != self.before.digest:
            raise _reused()
        return False

    @property
    def resumed(self) -> int:
        """How many lines an earlier try has stored."""
        return self.before.lines if self.before is not None else 0


async def send_evidence(
    request: Request,
    visit: Asked,
    x_casemate_marking: Annotated[Marking | None, Header(description="TLP 2.0; by default the policy's")] = None,
    x_casemate_source: Annotated[str, Header(max_length=500, description="what the sender calls it")] = "",
    idempotency_key: Annotated[str, Header(max_length=200, description="the same request again is the same")] = "",
) -> Accepted:
    """Store evidence and queue what is new; it is on the disk when the answer comes.

    An alert that says what another said (same rule, entity, wording and marking) joins its group. With an
    `Idempotency-Key` a request that was cut off is sent again as it was: what is stored already is not stored twice.
    """
    marking = x_casemate_marking or visit.policy.default_marking
    order = list(Marking)
    if order.index(marking) > order.index(visit.person.clearance):
        raise Refused(403, f"{marking.label} is above the clearance of {visit.person.name}")
    intake: Intake = request.app.state.intake
    if await intake.full():
        raise Refused(429, "too many jobs wait", "send it again later", RETRY)
    name = visit.person.name
    if idempotency_key and (name, idempotency_key) in intake.under_way:
        raise Refused(409, "a request with this key is under way", "wait for it")
    intake.under_way.add((name, idempotency_key))
    try:
        before = None
        if idempotency_key:
            before = await run_in_threadpool(visit.store.queue().resumable, name, idempotency_key)
        body = _Body(visit, intake, marking, plain(x_casemate_source), idempotency_key, before)
        return await _take(request, body)
    except ClientDisconnect:
        raise Refused(400, "the sender went away; whole batches before that are stored") from None
    finally:
        intake.under_way.discard((name, idempotency_key))


async def _take(request: Request, body: _Body) -> Accepted:
    stream = request.stream()
    head = bytearray()
    ended = True
    async for block in stream:
        head += block
        if len(head) >= HEAD:
            ended = False
            break
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if not head:
        raise Refused(400, "there is no evidence in the request", "send the bytes as its body")
    if kind in LINES or (kind in UNSAID and looks_like_lines(bytes(head), ended=ended)):
        await _take_lines(stream, head, body)
    else:
        async with body.intake.files:
            await _take_file(stream, head, body)
    if body.before is not None and body.lines < body.resumed:
        raise _reused()
    if body.lines == 0:
        raise Refused(400, "there is no evidence in the request", "send the bytes as its body")
    if body.before is not None and body.before.answer is not None:
        raw = orjson.loads(body.before.answer)
        return Accepted(raw["alerts"], raw["alerts"], raw["opened"], tuple(raw["groups"]))
    accepted = Accepted(body.lines, body.resumed, body.opened, tuple(sorted(body.groups)[:GROUPS_SHOWN]))
    done = body.resumable(orjson.dumps(accepted))
    if done is not None:
        await run_in_threadpool(body.visit.store.queue().answered, done)
    return accepted


async def _take_lines(stream: AsyncIterator[bytes], buffer: bytearray, body: _Body) -> None:
    limits = body.visit.policy.limits
    waiting: list[bytes] = []
    size = 0
    block: bytes | None = b""
    while block is not None:
        buffer += block
        if len(buffer) > limits.record_bytes and b"\n" not in buffer:
            raise Refused(413, f"line {body.lines + 1} is longer than {limits.record_bytes:,} bytes")
        for line in split_lines(buffer):
            if line.strip() and body.count(line):
                waiting.append(line)
                size += len(line)
            if len(waiting) >= limits.batch_alerts or size >= BATCH_BYTES:
                await _store(waiting, body)
                waiting, size = [], 0
        block = await anext(stream, None)
    rest = bytes(buffer)
    if rest.strip() and body.count(rest):
        waiting.append(rest)
    if waiting:
        await _store(waiting, body)


async def _take_file(stream: AsyncIterator[bytes], buffer: bytearray, body: _Body) -> None:
    most = body.visit.policy.limits.upload_bytes
    async for block in stream:
        buffer += block
        if len(buffer) > most:
            raise Refused(413, f"a file is larger than {most:,} bytes", "raise limits.upload_bytes, or send lines")
    data = bytes(buffer)
    if body.count(data):
        await _hand_over((whole_file(data, digest_bytes(data), body.source),), body, separate=False)


async def _store(lines: list[bytes], body: _Body) -> None:
    limits = body.visit.policy.limits
    waited = 0.0
    while await body.intake.full():
        if waited >= PATIENCE:
            raise Refused(429, f"too many jobs wait; stored so far: {body.lines - len(lines)} lines", headers=RETRY)
        await asyncio.sleep(1.0)
        waited += 1.0

    def read() -> tuple[Alert, ...]:
        now = datetime.now(UTC)
        return tuple(read_alert(line, limits, now) for line in lines)

    await _hand_over(await run_in_threadpool(read), body, separate=True)


async def _hand_over(alerts: tuple[Alert, ...], body: _Body, *, separate: bool) -> None:
    name = body.visit.person.name
    receipt = await body.intake.put(Delivery(name, body.marking, body.source, separate, alerts, body.resumable()))
    body.opened += receipt.opened
    if len(body.groups) < 10 * GROUPS_SHOWN:
        body.groups.update(receipt.groups)


def _reused() -> Refused:
    return Refused(409, "this key belongs to a request with another body", "use a new Idempotency-Key")

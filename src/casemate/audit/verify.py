"""The verifier: everything an auditor has to read to know what a verified chain means.

A chain is verified in these steps; the code below carries the same numbers.

1. Every line is, byte for byte, the canonical JSON of one event.
2. The numbers are 1, 2, 3, ... without a gap, a repetition or a step back.
3. Every event names, as `previous`, the digest of the event before it (64 zeros for the first).
4. Every event's digest is the SHA-256 of the canonical JSON of all its other fields.
5. Every checkpoint is signed by the key that the auditor holds.
6. Every checkpoint's digest is the digest that the event of its number really has.
7. The chain reaches at least as far as the last checkpoint and the high-water mark.
8. An exported file says at its end how many events and checkpoints it holds, and holds as many.

Steps 2 to 4 find what was done without recomputing the chain: an edit, a deletion, an insertion, a reordering. Steps 5
to 7 find a chain that was cut at its end or recomputed from some point on. What no step can find is a change to events
after the last checkpoint that the auditor knows of: so checkpoints are kept where the database's owner cannot write.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from casemate.audit.chain import GENESIS, digest_of, event_line, read_event
from casemate.audit.checkpoint import Checkpoint, read_checkpoint, signature_holds
from casemate.core.audit import AuditEvent
from casemate.core.digest import Digest, canonical_json

FORMAT = "casemate-audit-1"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """One place where a chain is not what it must be.

    `number` is the event (from 1) at which it shows; `code` one of `line-unreadable`, `number-wrong`, `link-broken`,
    `event-changed`, `signature-wrong`, `checkpoint-differs`, `chain-cut`, `export-cut` (the store adds its own);
    `expected` and `found` say what should stand there and what does.
    """

    number: int
    code: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"event {self.number}: {self.code}: expected {self.expected}, found {self.found}"


def verify_chain(
    events: Iterable[AuditEvent],
    checkpoints: Iterable[Checkpoint] = (),
    public_key: bytes | None = None,
    high_water: int = 0,
) -> tuple[ChainFault, ...]:
    """Check a whole chain, streaming, and return every fault; none means that it is intact.

    `public_key` (PEM) is the one the auditor holds; without it signatures are not checked (step 5 is left out).
    `high_water` is the highest number that is known to have been given out.
    """
    faults: list[ChainFault] = []
    stated: dict[int, set[Digest]] = {}
    for checkpoint in checkpoints:
        if public_key is not None and not signature_holds(checkpoint, public_key):  # step 5
            faults.append(ChainFault(checkpoint.number, "signature-wrong", "a checkpoint signed by the key", "not so"))
            continue
        stated.setdefault(checkpoint.number, set()).add(checkpoint.digest)
    reach = max([high_water, *stated])
    number, previous = 0, GENESIS
    for event in events:
        if event.number != number + 1:  # step 2
            faults.append(ChainFault(number + 1, "number-wrong", f"number {number + 1}", f"number {event.number}"))
        if event.previous != previous:  # step 3
            faults.append(ChainFault(event.number, "link-broken", f"previous {previous}", f"previous {event.previous}"))
        computed = digest_of(event)
        if event.digest != computed:  # step 4
            faults.append(ChainFault(event.number, "event-changed", f"digest {event.digest}", f"digest {computed}"))
        faults += (  # step 6
            ChainFault(event.number, "checkpoint-differs", f"digest {digest}", f"digest {computed}")
            for digest in stated.pop(event.number, ())
            if digest != computed
        )
        number, previous = event.number, event.digest
    if number < reach:  # step 7
        faults.append(ChainFault(number + 1, "chain-cut", f"events up to {reach}", f"the last is {number}"))
    elif stated:
        first = min(stated)
        faults.append(ChainFault(first, "checkpoint-differs", f"an event {first}", "no event of that number"))
    return tuple(faults)


def verify_lines(
    lines: Iterable[str],
    checkpoints: Iterable[Checkpoint] = (),
    public_key: bytes | None = None,
    high_water: int = 0,
) -> tuple[ChainFault, ...]:
    """Check a chain kept as lines, one event a line; a line that is no event is a fault of its own."""
    unreadable: list[ChainFault] = []

    def read() -> Iterator[AuditEvent]:
        for position, line in enumerate(lines, start=1):
            try:
                event = read_event(line)
            except ValueError as error:  # step 1
                unreadable.append(ChainFault(position, "line-unreadable", "an event in canonical JSON", str(error)))
                continue
            yield event

    faults = verify_chain(read(), checkpoints, public_key, high_water)
    return tuple(sorted((*unreadable, *faults), key=lambda fault: fault.number))


def export_chain(events: Iterable[AuditEvent], checkpoints: Iterable[Checkpoint], out: BinaryIO) -> int:
    """Write a chain for an auditor and return the number of events.

    Lines of canonical JSON, UTF-8: first the checkpoints, then the events in order, then one line that counts both.
    """
    counts = {"checkpoints": 0, "events": 0}
    for checkpoint in checkpoints:
        out.write(checkpoint.line().encode("utf-8") + b"\n")
        counts["checkpoints"] += 1
    for event in events:
        out.write(event_line(event).encode("utf-8", "surrogatepass") + b"\n")
        counts["events"] += 1
    out.write(_closing(counts["checkpoints"], counts["events"]).encode() + b"\n")
    return counts["events"]


def verify_export(
    file: BinaryIO, public_key: bytes | None = None, known: Iterable[Checkpoint] = ()
) -> tuple[ChainFault, ...]:
    """Check an exported file on its own: no database, no other file, only the auditor's public key (PEM).

    `known` are checkpoints that the auditor has from elsewhere; the file must reach as far as they do.
    """
    lines = (raw.decode("utf-8", "backslashreplace").removesuffix("\n") for raw in file)
    checkpoints, faults = list(known), list[ChainFault]()
    exported, first = 0, ""
    for first in lines:
        if not first.startswith('{"chain":'):
            break
        exported += 1
        try:
            checkpoints.append(read_checkpoint(first))
        except ValueError as error:  # step 1
            faults.append(ChainFault(0, "line-unreadable", "a checkpoint in canonical JSON", str(error)))
    body = _Body(first, lines)
    faults += verify_lines(body, checkpoints, public_key)
    closing = _closing(exported, body.events)
    if body.end != closing:  # step 8
        faults.append(ChainFault(body.events, "export-cut", closing, body.end[:200] or "no closing line"))
    if next(lines, None) is not None:  # step 8
        faults.append(ChainFault(body.events, "export-cut", "nothing after the closing line", "more lines"))
    return tuple(faults)


class _Body:
    """The event lines of an exported file, one after the other, up to its closing line."""

    def __init__(self, first: str, rest: Iterator[str]) -> None:
        self._lines = chain((first,), rest)
        self.events = 0
        self.end = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if line.startswith('{"checkpoints":'):
                self.end = line
                return
            self.events += 1
            yield line


def _closing(checkpoints: int, events: int) -> str:
    return canonical_json({"checkpoints": checkpoints, "events": events, "format": FORMAT}).decode()

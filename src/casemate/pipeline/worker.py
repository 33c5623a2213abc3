"""The worker: takes jobs one after the other, each with a lease that is renewed while it works."""

import io
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from casemate.core.alert import Job, Lease
from casemate.core.errors import CasemateError, RecordFailed, StoreFailed
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.stages.ingest import Source
from casemate.store import LeaseLost, Store, owner_name

IDLE_SECONDS = 0.25
PAUSE_SECONDS = 2.0  # while the store cannot be used
ACTOR = "casemate"


@dataclass(slots=True)
class Worker:
    """One worker on one store. `stopping` is set to make it end after the job it has.

    `told` hears what became of a job: taken, done, again (it failed and waits for its next attempt), dead, or lost.
    """

    store: Store
    tools: Tools
    stopping: threading.Event
    told: Callable[[str, Job], None] = lambda _what, _job: None
    _lease: Lease | None = field(default=None, init=False)

    def run(self) -> None:
        """Work until told to stop; a store that cannot be used for a while is waited for."""
        owner = owner_name(secrets.token_hex(4))
        with self._renewing():
            while not self.stopping.is_set():
                try:
                    taken = self.store.queue().take(owner)
                    if taken is None:
                        self.store.unwritten()  # tries again what a full disk left
                        self.stopping.wait(IDLE_SECONDS)
                        continue
                    self.work(*taken)
                except StoreFailed:
                    # A full disk or a lock that lasts: nothing was lost, and another try is worth it.
                    self.stopping.wait(PAUSE_SECONDS)

    def work(self, job: Job, lease: Lease) -> None:
        """Do one job: its case, its end and the audit event are one transaction."""
        self.told("taken", job)
        self._lease = lease
        try:
            came = self._do(job, lease)
        except LeaseLost:
            came = "lost"
        finally:
            self._lease = None
        self.told(came, job)

    def _do(self, job: Job, lease: Lease) -> str:
        queue = self.store.queue()
        try:
            outcome = triage(_sources(job, self.store), Order(job.marking, ACTOR, lease=lease), self.tools, self.store)
            if outcome.repeated:
                queue.finish(lease, outcome.case)
        except LeaseLost:
            raise
        except RecordFailed as error:
            # Something that this job needs is damaged: the others shall not wait behind it for ever.
            return "again" if queue.try_again(lease, _words(error)) else "dead"
        except StoreFailed:
            self._release(lease)
            raise
        except CasemateError as error:
            queue.fail(lease, _words(error))
            return "dead"
        except Exception as error:  # noqa: BLE001 - the boundary of a job: the fault is kept with it, the worker goes on
            queue.fail(lease, f"a fault of the program: {type(error).__name__} in {_where(error)}")
            return "dead"
        return "done"

    def _release(self, lease: Lease) -> None:
        """Give a job back as soon as the store takes it, so that an outage costs none of its attempts."""
        while not self.stopping.is_set():
            try:
                self.store.queue().release(lease)
            except StoreFailed:
                self.stopping.wait(PAUSE_SECONDS)
            else:
                return

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """Renew the lease of whatever job is worked at, three times while it lasts."""
        over = threading.Event()
        every = self.tools.policy.limits.lease_seconds / 3

        def renew() -> None:
            while not over.wait(every):
                lease = self._lease
                if lease is None:
                    continue
                try:
                    self.store.queue().renew(lease)  # one that is lost: what is stored at the end will be refused
                except StoreFailed:
                    continue  # tried again before the lease runs out

        thread = threading.Thread(target=renew, daemon=True, name="leases of a worker")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _words(error: CasemateError) -> str:
    return error.message + (f" ({error.way_out})" if error.way_out else "")


def _where(error: BaseException) -> str:
    # The place, not the message: a message may quote evidence.
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{trace.tb_frame.f_code.co_qualname} line {trace.tb_lineno}"


def _sources(job: Job, store: Store) -> Iterator[Source]:
    """Make the sources of a job: the records of a group as one text, files each by itself."""
    lines: list[bytes] = []
    for name, data, separate in list(store.queue().evidence(job)):
        if not separate:
            yield _source(name or f"file-{job.group}", data)
            return  # the same bytes again are the same evidence
        lines.append(data)
    yield _source(f"group-{job.group}.jsonl", b"\n".join(lines) + b"\n")


def _source(name: str, data: bytes) -> Source:
    return Source(name, lambda: io.BytesIO(data))

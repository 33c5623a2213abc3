"""The worker: takes jobs one after the other, each with a lease that is renewed while it works."""

import io
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from casemate.core.alert import Job, Lease
from casemate.core.errors import CasemateError, StoreFailed
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.stages.ingest import Source
from casemate.store import LeaseLost, Store, owner_name

IDLE_SECONDS = 0.25
PAUSE_SECONDS = 2.0  # while the store cannot be used
ACTOR = "casemate"


@dataclass(slots=True)
class Worker:
    """One worker on one store. `stopping` is set to make it end after the job it has."""

    store: Store
    tools: Tools
    stopping: threading.Event
    told: Callable[[str, Job], None] = lambda _what, _job: None

    def run(self) -> None:
        """Work until told to stop; a store that cannot be used for a while is waited for."""
        owner = owner_name(secrets.token_hex(4))
        while not self.stopping.is_set():
            try:
                taken = self.store.queue().take(owner)
                if taken is None:
                    self.stopping.wait(IDLE_SECONDS)
                    continue
                self.work(*taken)
            except StoreFailed:
                # A full disk or a lock that lasts: nothing was lost, the lease will run out, another try is worth it.
                self.stopping.wait(PAUSE_SECONDS)

    def work(self, job: Job, lease: Lease) -> None:
        """Do one job: its case, its end and the audit event are one transaction."""
        queue = self.store.queue()
        self.told("taken", job)
        try:
            with _renewed(lease, self.store, self.tools.policy.limits.lease_seconds / 3):
                order = Order(job.marking, ACTOR, lease=lease)
                outcome = triage(_sources(job, self.store), order, self.tools, self.store)
                if outcome.repeated:
                    queue.finish(lease, outcome.case)
        except LeaseLost:
            self.told("lost", job)
        except StoreFailed:
            self._release(lease)
            raise
        except CasemateError as error:
            queue.fail(lease, f"{error.message}" + (f" ({error.way_out})" if error.way_out else ""))
            self.told("dead", job)
        except Exception as error:  # noqa: BLE001 - the boundary of a job: the fault is kept with it, the worker goes on
            queue.fail(lease, f"a fault of the program: {type(error).__name__} in {_where(error)}")
            self.told("dead", job)
        else:
            self.told("done", job)

    def _release(self, lease: Lease) -> None:
        """Give a job back as soon as the store takes it, so that an outage costs none of its attempts."""
        while not self.stopping.is_set():
            try:
                self.store.queue().release(lease)
            except StoreFailed:
                self.stopping.wait(PAUSE_SECONDS)
            else:
                return


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


@contextmanager
def _renewed(lease: Lease, store: Store, every: float) -> Iterator[None]:
    over = threading.Event()

    def renew() -> None:
        while not over.wait(every):
            try:
                if not store.queue().renew(lease):
                    return  # lost: what is stored at the end will be refused
            except StoreFailed:
                continue  # tried again before the lease runs out

    thread = threading.Thread(target=renew, daemon=True, name=f"lease of job {lease.job}")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

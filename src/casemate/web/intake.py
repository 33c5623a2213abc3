"""The way in: what several senders hand over at the same moment is stored in one transaction."""

import asyncio
import time
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from casemate.core.alert import Delivery, Receipt
from casemate.core.errors import CasemateError, InConflict
from casemate.policy import Limits
from casemate.store import Store
from casemate.web.figures import Figures

LOOK_AGAIN = 1.0
DELIVERIES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Waiting:
    delivery: Delivery
    receipt: "asyncio.Future[Receipt]"


class Intake:
    """Collects deliveries while a transaction is under way and stores them in the next one."""

    def __init__(self, store: Store, limits: Limits, figures: Figures) -> None:
        self._store = store
        self._limits = limits
        self._figures = figures
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._depth = 0
        self._looked = 0.0
        self.under_way: set[tuple[str, str]] = set()
        self.files = asyncio.Semaphore(2)

    async def put(self, delivery: Delivery) -> Receipt:
        """Store a delivery; it is on the disk when this returns."""
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(delivery, receipt))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await receipt

    async def full(self) -> bool:
        """Tell whether so many jobs wait that more evidence must wait too."""
        if time.monotonic() - self._looked > LOOK_AGAIN:
            self._looked = time.monotonic()
            self._depth = await run_in_threadpool(self._store.queue().waiting)
        return self._depth >= self._limits.queue_jobs

    async def _write(self) -> None:
        while self._waiting:
            batch: list[_Waiting] = []
            held = 0
            while self._waiting and len(batch) < DELIVERIES_AT_ONCE and held < 4 * self._limits.batch_alerts:
                batch.append(self._waiting.pop(0))
                held += len(batch[-1].delivery.alerts)
            await self._put(batch)

    async def _put(self, batch: list[_Waiting]) -> None:
        try:
            receipts = await run_in_threadpool(self._store.queue().receive, [waiting.delivery for waiting in batch])
        except InConflict as error:
            if len(batch) == 1:
                _refuse(batch, error)
                return
            for waiting in batch:  # what is wrong with one request is not wrong with the others
                await self._put([waiting])
        except CasemateError as error:
            _refuse(batch, error)
        else:
            for waiting, receipt in zip(batch, receipts, strict=True):
                self._figures.alerts.inc(receipt.alerts)
                self._figures.bytes.inc(sum(len(alert.data) for alert in waiting.delivery.alerts))
                if not waiting.receipt.done():
                    waiting.receipt.set_result(receipt)


def _refuse(batch: list[_Waiting], error: CasemateError) -> None:
    for waiting in batch:
        if not waiting.receipt.done():
            waiting.receipt.set_exception(error)

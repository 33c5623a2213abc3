"""A model whose use is counted and bounded: the same port around another model."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Self

from casemate.core.cost import Cost
from casemate.core.digest import Digest
from casemate.core.errors import EngineFailed
from casemate.stages.generate.inorder import answer_in_order
from casemate.stages.generate.model import Answer, Completion, Model, Request


def cost_of(completion: Completion) -> Cost:
    """Give what one request took."""
    return Cost(
        1,
        completion.prompt_tokens,
        completion.cached_tokens,
        completion.generated_tokens,
        completion.engine_seconds,
        completion.peak_bytes,
        completion.joules,
    )


class Metered:
    """Asks `check` before each request, which raises when no more may be asked, and tells `record` what each took.

    A request that failed took its time too. `check` and `record` are never called by two threads at once.
    """

    def __init__(self, model: Model, check: Callable[[], None], record: Callable[[Cost, Digest | None], None]) -> None:
        self._model, self._check, self._record = model, check, record
        self._lock = threading.Lock()
        self.name, self.digest = model.name, model.digest
        self.adapters: tuple[str, ...] = tuple(getattr(model, "adapters", ()))
        self.at_once: int = getattr(model, "at_once", 1)

    def complete(self, request: Request) -> Completion:
        """Answer a request; `QuotaReached` when the quota is used up, else as the model itself."""
        with self._lock:
            self._check()
        began = time.monotonic()
        try:
            completion = self._model.complete(request)
        except EngineFailed:
            with self._lock:
                self._record(Cost(1, seconds=time.monotonic() - began), None)
            raise
        with self._lock:
            self._record(cost_of(completion), completion.adapter)
        return completion

    def complete_all(self, requests: Iterable[Request], retries: int = 1) -> Iterator[Answer]:
        """Answer a queue in order; once the quota is used up, `QuotaReached` stands in the place of the rest."""
        return answer_in_order(self.complete, requests, self.at_once, retries)

    def close(self) -> None:
        """Close the model."""
        close = getattr(self._model, "close", None)  # an engine in a process of its own has one
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

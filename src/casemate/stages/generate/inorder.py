"""Answer many requests at once and hand the answers on in order."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from casemate.core.errors import CasemateError, EngineFailed
from casemate.stages.generate.model import Answer, Completion, Request

AHEAD = 32
"""Requests read before they are asked, so that those with one instruction can be asked one after the other."""


def answer_in_order(
    complete: Callable[[Request], Completion], requests: Iterable[Request], at_once: int, retries: int = 1
) -> Iterator[Answer]:
    """Answer every request, `at_once` at a time, and yield the answers in the order of the requests.

    Requests that share instruction and adapter with one that is being answered go first, so that the engine need not
    read another instruction in between; at most `AHEAD` requests and answers are held, so nothing waits for more
    others than that. A request whose engine failed is asked again `retries` times.
    """
    source = enumerate(requests)
    ahead: list[tuple[int, Request]] = []
    answered: dict[int, Answer] = {}
    running: dict[Future[Answer], int] = {}
    recent: list[tuple[str, str]] = []
    due = 0
    with ThreadPoolExecutor(at_once, thread_name_prefix="asking") as pool:
        while True:
            while len(ahead) + len(answered) + len(running) < AHEAD + at_once and (item := next(source, None)):
                ahead.append(item)
            while ahead and len(running) < at_once:
                number, request = ahead.pop(_choose(ahead, recent))
                recent = [*recent, _shared(request)][-at_once:]
                running[pool.submit(_answer, complete, request, retries)] = number
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                answered[running.pop(future)] = future.result()
            while due in answered:
                yield answered.pop(due)
                due += 1


def _shared(request: Request) -> tuple[str, str]:
    return request.adapter, request.instruction


def _choose(ahead: list[tuple[int, Request]], recent: list[tuple[str, str]]) -> int:
    return next((index for index, (_, request) in enumerate(ahead) if _shared(request) in recent), 0)


def _answer(complete: Callable[[Request], Completion], request: Request, retries: int) -> Answer:
    began = time.monotonic()
    while True:
        try:
            return complete(request)
        except EngineFailed as error:
            if retries <= 0 or time.monotonic() - began >= request.seconds:
                return error  # an engine that is too slow once is too slow twice
            retries -= 1
        except CasemateError as error:
            return error

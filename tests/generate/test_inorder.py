"""A queue is answered in order, with like requests together, and a failure stands in its own place only."""

import threading
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.errors import EngineFailed, NotTrusted, WrongUsage
from casemate.stages.generate import Completion, Request
from casemate.stages.generate.inorder import AHEAD, answer_in_order


def request(number: int, instruction: str = "same", adapter: str = "") -> Request:
    return Request(instruction, str(number), adapter=adapter)


def echo(asked: Request) -> Completion:
    return Completion(asked.evidence)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x"])), max_size=90), st.integers(1, 5))
def test_every_answer_comes_once_and_in_order(kinds: list[tuple[str, str]], at_once: int) -> None:
    requests = [request(number, *kind) for number, kind in enumerate(kinds)]
    answers = list(answer_in_order(echo, requests, at_once))
    assert [answer.text for answer in answers if isinstance(answer, Completion)] == [one.evidence for one in requests]


def test_like_requests_are_asked_one_after_the_other() -> None:
    order: list[str] = []

    def note(asked: Request) -> Completion:
        order.append(asked.instruction)
        return echo(asked)

    list(answer_in_order(note, [request(number, "ab"[number % 2]) for number in range(20)], 1))
    assert "".join(order) == "a" * 10 + "b" * 10


def test_an_endless_queue_is_read_a_little_ahead_only_and_nobody_starves() -> None:
    read = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal read
        while True:
            yield request(read, "rare" if read == 0 else "common")
            read += 1

    answers = answer_in_order(echo, endless(), 2)
    first = [next(answers) for _ in range(100)]
    assert [answer.text for answer in first if isinstance(answer, Completion)] == [str(n) for n in range(100)]
    assert read < 100 + AHEAD + 5
    answers.close()  # type: ignore[attr-defined]  # it is a generator


def test_as_many_at_once_as_asked_for_and_no_more() -> None:
    running, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def slow(asked: Request) -> Completion:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(60)  # broken, and with it the test, where fewer than three are at it
        time.sleep(0.01)
        with lock:
            running -= 1
        return echo(asked)

    answers = list(answer_in_order(slow, [request(n) for n in range(21)], 3))
    assert [answer.text for answer in answers if isinstance(answer, Completion)] == [str(n) for n in range(21)]
    assert most == 3


def test_a_failure_is_asked_again_then_stands_in_its_place() -> None:
    asked: list[str] = []

    def fails(one: Request) -> Completion:
        asked.append(one.evidence)
        if one.evidence == "1" or (one.evidence == "2" and asked.count("2") == 1):
            raise EngineFailed("died")
        if one.evidence == "3":
            raise NotTrusted("altered")
        if one.evidence == "4":
            raise WrongUsage("no such adapter")
        return echo(one)

    answers = list(answer_in_order(fails, [request(n) for n in range(6)], 1, retries=1))
    shown = [answer.text if isinstance(answer, Completion) else type(answer).__name__ for answer in answers]
    assert shown == ["0", "EngineFailed", "2", "NotTrusted", "WrongUsage", "5"]
    assert [asked.count(str(n)) for n in range(6)] == [1, 2, 2, 1, 1, 1]


def test_who_was_too_slow_is_not_asked_again() -> None:
    asked = []

    def hangs(one: Request) -> Completion:
        asked.append(one)
        time.sleep(0.05)
        raise EngineFailed("no answer in time")

    list(answer_in_order(hangs, [Request("a", "b", seconds=0.02)], 1, retries=3))
    assert len(asked) == 1

"""One connector that fails does not hurt the others, and is heard of."""

import threading
from collections.abc import Callable

from casemate.connectors.running import run_until_stopped, try_round
from casemate.core.errors import ConnectorFailed


class Counting:
    """A connector that does what it is told in each round."""

    def __init__(self, name: str, every: float, act: Callable[[int], None]) -> None:
        self.name, self.every, self._act = name, every, act
        self.rounds = 0
        self.closed = False

    def round(self) -> None:
        self.rounds += 1
        self._act(self.rounds)

    def close(self) -> None:
        self.closed = True


def test_failures_back_off_are_told_and_leave_the_others_alone():
    stopping = threading.Event()
    told: list[tuple[str, str, str]] = []

    def fail(number: int) -> None:
        if number <= 3:
            raise ConnectorFailed("no\x1b way", way_out="wait")

    def fault(_number: int) -> None:
        raise ZeroDivisionError("secret")

    def good(number: int) -> None:
        if number >= 30 and (turns[0].rounds > 4 or number > 6_000):  # a minute, for a machine that is busy
            stopping.set()

    turns = [Counting("bad", 0.001, fail), Counting("broken", 0.001, fault), Counting("good", 0.01, good)]
    run_until_stopped(turns, stopping, lambda *what: told.append(what), longest=0.02, first=0.005)
    assert turns[2].rounds >= 30
    assert turns[0].rounds > 4
    assert [code for name, code, _ in told if name == "bad"] == ["failed"] * 3 + ["works-again"]
    assert ("bad", "failed", "no\\x1b way (wait)") in told
    assert not any("secret" in sentence for _, _, sentence in told)
    assert all(turn.closed for turn in turns)


def test_a_round_says_whether_it_went_well():
    told: list[tuple[str, str, str]] = []

    def fail(_number: int) -> None:
        raise ConnectorFailed("no")

    assert try_round(Counting("a", 1, lambda _number: None), lambda *what: told.append(what))
    assert not try_round(Counting("b", 1, fail), lambda *what: told.append(what))
    assert told == [("b", "failed", "no")]

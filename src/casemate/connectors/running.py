"""Connectors at work: each in a thread of its own, and one that fails does not hurt the others."""

import threading
from collections.abc import Sequence
from typing import Protocol

from casemate.connectors.feed import Feed, Tell
from casemate.connectors.source import Source
from casemate.core.errors import CasemateError
from casemate.core.plain import plain

SHOWN = 600
JOIN_SECONDS = 30.0


class Turn(Protocol):
    """A connector as the runner sees it."""

    @property
    def name(self) -> str:
        """Its name in the settings."""
        ...

    @property
    def every(self) -> float:
        """Seconds between two rounds."""
        ...

    def round(self) -> None:
        """Do what there is to do by now."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Pull:
    """A source with the feed it hands alerts to."""

    def __init__(self, every: float, source: Source, feed: Feed) -> None:
        self.name = feed.name
        self.every = every
        self._source = source
        self._feed = feed

    def round(self) -> None:
        """Hand over what there is by now."""
        self._source.round(self._feed)

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()


def try_round(turn: Turn, tell: Tell) -> bool:
    """Do one round; a failure is told, and nothing of it is lost: the next round begins where this one came to."""
    try:
        turn.round()
    except CasemateError as error:
        way_out = f" ({error.way_out})" if error.way_out else ""
        tell(turn.name, "failed", plain(f"{error.message}{way_out}")[:SHOWN])
        return False
    except Exception as error:  # noqa: BLE001 - the boundary of a connector: a fault of one must not end the others
        tell(turn.name, "failed", f"a fault of the program: {type(error).__name__} in {_where(error)}")
        return False
    return True


def run_until_stopped(
    turns: Sequence[Turn], stopping: threading.Event, tell: Tell, longest: float, first: float = 1.0
) -> None:
    """Let every connector take its rounds until `stopping` is set; pauses after failures double up to `longest`."""
    threads = [
        threading.Thread(target=_keep_turning, args=(turn, stopping, tell, first, longest), name=turn.name, daemon=True)
        for turn in turns
    ]
    for thread in threads:
        thread.start()
    stopping.wait()
    for thread in threads:
        thread.join(JOIN_SECONDS)


def _keep_turning(turn: Turn, stopping: threading.Event, tell: Tell, first: float, longest: float) -> None:
    pause = first
    failed = False
    try:
        while not stopping.is_set():
            if try_round(turn, tell):
                if failed:
                    tell(turn.name, "works-again", "the last round came to its end")
                failed, pause = False, first
                stopping.wait(turn.every)
            else:
                failed = True
                stopping.wait(pause)
                pause = min(pause * 2, longest)
    finally:
        turn.close()


def _where(error: BaseException) -> str:
    # The place, not the message: a message may quote evidence.
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{trace.tb_frame.f_code.co_qualname} line {trace.tb_lineno}"

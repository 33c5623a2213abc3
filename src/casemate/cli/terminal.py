"""What is written to a terminal: messages and progress on standard error, results on standard output or into a file."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from casemate.core.errors import WrongUsage
from casemate.core.plain import plain


def visible(text: str) -> str:
    """Show control characters, escapes and direction marks as what they are; line feeds stay."""
    return "\n".join(map(plain, text.split("\n")))


def tell(message: str) -> None:
    """Write a message to standard error."""
    sys.stderr.write(visible(message) + "\n")
    sys.stderr.flush()


class Progress:
    """One line on standard error that says what is being done and for how long; silent when nobody watches.

    On a terminal the line counts the seconds by itself, so that a long step is seen to be alive; elsewhere, and only
    if $CASEMATE_PROGRESS asks for it, each new step is a line of its own.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._watched = self._terminal or bool(os.environ.get("CASEMATE_PROGRESS"))
        self._started = self._last = time.monotonic()
        self._what = ""
        self._width = 0
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __call__(self, what: str) -> None:
        """Say what is being done now."""
        now = time.monotonic()
        same = what.partition(" ")[0] == self._what.partition(" ")[0]
        if not self._watched or (same and now - self._last < 0.1):
            return
        self._last, self._what = now, what
        self._show()

    def _show(self) -> None:
        line = f"  {visible(self._what)[:70]} ... {time.monotonic() - self._started:.0f} s"
        with self._lock:
            sys.stderr.write("\r" + line.ljust(self._width) if self._terminal else line + "\n")
            self._width = len(line)
            sys.stderr.flush()

    def _tick(self) -> None:
        while not self._over.wait(1.0):
            if self._what:
                self._show()

    def __enter__(self) -> Self:
        if self._terminal:
            threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with self._lock:
            if self._terminal and self._width:
                sys.stderr.write("\r" + " " * self._width + "\r")
                sys.stderr.flush()
            self._what = ""


def write_result(data: bytes, output: str | None) -> None:
    """Write a result to a file, whole or not at all, or to standard output."""
    if output is None or output == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    target = Path(output)
    part = target.with_name(target.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WrongUsage(f"{output}: {error.strerror}", way_out="name a file in a folder you may write to") from error


@contextmanager
def open_output(output: str | None) -> Iterator[BinaryIO]:
    """Give what a stream of results is written to as it comes: a file, or standard output."""
    if output is None:
        yield sys.stdout.buffer
        return
    try:
        with Path(output).open("wb") as out:
            yield out
    except OSError as error:
        raise WrongUsage(f"{output}: {error.strerror}", way_out="name a file in a folder you may write to") from error

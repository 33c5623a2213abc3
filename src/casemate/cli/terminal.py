"""What is written to a terminal: messages and progress on standard error, results on standard output or into a file."""

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

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
    """One line on standard error that says what is being done and for how long; silent when nobody watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty() or bool(os.environ.get("CASEMATE_PROGRESS"))
        self._started = time.monotonic()
        self._last = 0.0
        self._width = 0

    def __call__(self, what: str) -> None:
        """Say what is being done now."""
        now = time.monotonic()
        if not self._watched or now - self._last < 0.1:
            return
        self._last = now
        line = f"  {visible(what)[:70]} ... {now - self._started:.0f} s"
        if sys.stderr.isatty():
            sys.stderr.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()


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

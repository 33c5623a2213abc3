"""Sources: named streams of bytes, and how the ones that a person names are found."""

import os
import select
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Self

from casemate.core.issue import Issue, Severity
from casemate.policy.limits import Limits
from casemate.stages.ingest.stream import Readable

PIPE_SECONDS = 5.0  # how long the writer of a named pipe may take to open it
PIPE_STEP_MS = 20


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its name as the user gave it, and how to open it; `open` may raise `OSError`.

    `path` is where it is, for whoever reads it in another process; empty where it is no file.
    """

    name: str
    open: Callable[[], AbstractContextManager[Readable]]
    path: str = ""


def find_sources(paths: Iterable[str], limits: Limits | None = None) -> Iterator[Source | Issue]:
    """Find the inputs that these paths mean: files, directories walked in sorted order, `-` for standard input.

    Links to directories are not followed, so a loop of links ends; `limits.directory_files` bounds one directory. What
    cannot be read is an `Issue` and the rest is found all the same. Names that are no UTF-8 are shown with U+FFFD.
    """
    limits = limits or Limits()
    for path in paths:
        if path == "-":
            yield Source("-", _open_standard_input)
            continue
        try:
            mode = Path(path).stat().st_mode
        except (OSError, ValueError) as error:
            yield _unreadable(path, error)
            continue
        if stat.S_ISDIR(mode):
            yield from _walk(path, limits.directory_files)
        else:
            yield source_of(path)


def source_of(path: str, wait: float = PIPE_SECONDS) -> Source:
    """Make the source that reads one file or pipe; anything else is refused when it is opened.

    Whoever is to write into a named pipe has `wait` seconds to open it; then it is an `OSError`, never an empty input.
    """

    def open_file() -> AbstractContextManager[Readable]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hang the open
        try:
            kind = os.fstat(descriptor).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
                raise OSError(0, "it is no regular file")
            first = _await_writer(descriptor, wait) if Path(path).resolve().is_fifo() else b""
            os.set_blocking(descriptor, True)
        except BaseException:
            os.close(descriptor)
            raise
        file = os.fdopen(descriptor, "rb", buffering=0)
        return _Pipe(first, file) if first else file

    return Source(_shown(path), open_file, path)


def _await_writer(descriptor: int, wait: float) -> bytes:
    """Wait until somebody writes into a named pipe, or has; give the byte that was read to find out, if one was."""
    until = time.monotonic() + wait
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    while not waiting.poll(PIPE_STEP_MS):
        try:
            first = os.read(descriptor, 1)
        except BlockingIOError:  # the other end is open and nothing was said yet
            return b""
        if first:
            return first
        if time.monotonic() >= until:
            raise OSError(0, f"nothing wrote into this pipe within {wait:g} s")
    return b""


class _Pipe:
    """A pipe whose first byte was read already."""

    def __init__(self, first: bytes, rest: FileIO) -> None:
        self._first, self._rest = first, rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rest.close()

    def read(self, size: int, /) -> bytes:
        first, self._first = self._first, b""
        return first or self._rest.read(size)


def _open_standard_input() -> AbstractContextManager[Readable]:
    return open(0, "rb", buffering=0, closefd=False)


def _walk(top: str, most: int) -> Iterator[Source | Issue]:
    """Walk a directory depth first; only the names of the open directories are held."""
    found = 0
    waiting: list[Iterator[tuple[str, bool]]] = [iter([(top, True)])]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            continue
        path, is_directory = entry
        if is_directory:
            try:
                waiting.append(iter(_list(path)))
            except OSError as error:
                yield _unreadable(path, error)
            continue
        found += 1
        if found > most:
            message = f"more than {most} files; the rest was left out"
            way_out = "name the files or raise limits.directory_files in the policy"
            yield Issue("directory-files", Severity.WARNING, message, _shown(top), "", way_out)
            return
        yield source_of(path, wait=0.0)  # a folder of abandoned pipes must not take hours


def _list(path: str) -> list[tuple[str, bool]]:
    with os.scandir(path) as entries:
        listed = [(entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries]
    listed.sort()
    files = []
    for name, is_directory, is_link in listed:
        inside = f"{path.rstrip('/') or '/'}/{name}" if path != "/" else f"/{name}"
        if not (is_link and Path(inside).is_dir()):
            files.append((inside, is_directory))
    return files


def _unreadable(path: str, error: OSError | ValueError) -> Issue:
    reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    way_out = "check the path and that you may read it"
    return Issue("unreadable", Severity.ERROR, reason, _shown(path), "", way_out)


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace") if "\0" not in path else path

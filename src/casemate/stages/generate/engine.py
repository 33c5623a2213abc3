"""The parent's side of the engine process: start it, ask it, kill it, start it again."""

import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from casemate.core.errors import EngineFailed
from casemate.stages.generate.engine_child import FrameError, read_frame, write_frame

_KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "CUDA_VISIBLE_DEVICES",
)
CHILD = (sys.executable, "-P", str(Path(__file__).with_name("engine_child.py")))
PRESSURE = Path("/proc/pressure/cpu")
_BUSY = 25.0
_LOG_TAIL = 600
_GRACE = 5.0  # seconds past a request's own limit before the process is killed


def waiting_policy(pressure: Path = PRESSURE) -> dict[str, str]:
    """Let the engine's threads sleep, not spin, while they wait for each other on a machine that is busy.

    Spinning is faster where every thread has a CPU of its own; where it has not, each of the hundreds of barriers in a
    token costs a time slice. Busy means that for a quarter of the last ten seconds somebody waited for a CPU
    (Linux, Documentation/accounting/psi). What is computed is the same either way.
    """
    try:
        found = re.search(r"^some avg10=([0-9.]+)", pressure.read_text("ascii", "replace"))
        busy = found is not None and float(found[1]) >= _BUSY
    except (OSError, ValueError):
        busy = False
    return {"OMP_WAIT_POLICY": "passive"} if busy else {}


class EngineProcess:
    """A process that holds a loaded model and answers requests by frames on its pipes.

    It is started with the first request, again after it died or was killed, and gets none of our environment but a few
    harmless variables: no proxies, keys or tokens. `isolation` says how it closed itself off once it has started.
    Safe to use from several threads; requests beyond `slots` wait in the process.
    """

    def __init__(
        self, settings: Mapping[str, Any], start_seconds: float, command: Sequence[str] = CHILD, grace: float = _GRACE
    ) -> None:
        self._settings, self._start_seconds = dict(settings), start_seconds
        self._command, self._grace = list(command), grace
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self.isolation = ""

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        running = self._running
        return running.process.pid if running is not None and running.alive else None

    def start(self) -> None:
        """Start the process and load the model if that is not done; `EngineFailed` when it does not come up."""
        self._started()

    def _started(self) -> "_Running":
        with self._lock:
            if self._running is not None and self._running.alive:
                return self._running
            if self._running is not None:
                self._running.kill()
            running = _Running(self._command)
            self._running = running
            greeting = running.ask(self._settings, None, self._start_seconds)
            if "isolation" not in greeting:
                running.kill()
                raise EngineFailed(
                    f"the engine could not load the model: {reason_of(greeting)}{running.log()}",
                    way_out="`casemate model verify` checks the file; use --model none to go on without a model",
                )
            self.isolation = str(greeting["isolation"])
            return running

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises `EngineFailed` when the process dies, answers with anything but an answer, or is still silent `grace`
        seconds after the limit; it is killed then, and the next request starts a new one.
        """
        return self._started().ask(request, next(_NUMBERS), seconds + self._grace)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._running is not None:
                self._running.kill()
                self._running = None


_NUMBERS = itertools.count(1)


class _Answer:
    def __init__(self) -> None:
        self.ready = threading.Event()
        self.frame: dict[str, Any] | None = None


class _Running:
    """One life of the process: a reader thread hands each frame to the request that waits for it."""

    def __init__(self, command: Sequence[str]) -> None:
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        environment = waiting_policy() | kept
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115 (lives as long as the process)
        try:
            self.process = subprocess.Popen(  # noqa: S603 (our own interpreter and our own script)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment
            )
        except OSError as error:
            self._log.close()
            raise EngineFailed(
                f"the engine process did not start: {error.strerror}", way_out="check memory and process limits"
            ) from error
        self._waiting: dict[int | None, _Answer] = {}
        self._lock = threading.Lock()
        self._fault = ""
        self.alive = True
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        pipe: BinaryIO = self.process.stdout  # type: ignore[assignment]  # Popen says IO[bytes]
        try:
            while (frame := read_frame(pipe)) is not None:
                number = frame.get("id")
                with self._lock:
                    answer = self._waiting.pop(number if isinstance(number, int) else None, None)
                if answer is not None:
                    answer.frame = frame
                    answer.ready.set()
            self._end("the engine process ended")
        except (FrameError, OSError, ValueError) as error:
            self._end(f"the engine process gave something that is no answer: {error}")

    def _end(self, fault: str) -> None:
        with self._lock:
            self.alive = False
            self._fault = self._fault or fault
            waiting, self._waiting = list(self._waiting.values()), {}
        self.process.kill()
        for answer in waiting:
            answer.ready.set()

    def ask(self, request: Mapping[str, Any], number: int | None, seconds: float) -> dict[str, Any]:
        answer = _Answer()
        with self._lock:
            if self.alive:
                self._waiting[number] = answer
        try:
            assert self.process.stdin is not None
            with contextlib.suppress(OSError):  # a dead process shows in the reader, with its reason
                write_frame(self.process.stdin, request if number is None else {**request, "id": number})  # type: ignore[arg-type]  # Popen says IO[bytes]
        except FrameError as error:
            raise EngineFailed(f"the request is too large: {error}", way_out="give less evidence at once") from error
        if not self.alive and answer.frame is None:
            answer.ready.set()
        if not answer.ready.wait(seconds):
            self._end(f"the engine gave no answer within {seconds:.0f} s and was stopped")
        if answer.frame is None:
            self.kill()
            raise EngineFailed(
                f"{self._fault}{self.log()}",
                way_out="it starts again with the next request; use --model none to go on without a model",
            )
        return answer.frame

    def log(self) -> str:
        """Quote the end of what the process wrote to its standard error, made safe to show."""
        try:
            length = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, length - _LOG_TAIL))
            tail = self._log.read().decode("utf-8", "replace")
        except (OSError, ValueError):
            return ""
        tail = re.sub(r"[^\x20-\x7e]+", " ", tail).strip()
        return f" (its last words: {tail})" if tail else ""

    def kill(self) -> None:
        self._end("the engine process was stopped")
        self.process.wait()


def reason_of(frame: Mapping[str, Any]) -> str:
    """Give the reason an error frame names, made safe to show."""
    error = frame.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return re.sub(r"[^\x20-\x7e]+", " ", str(message))[:_LOG_TAIL] if message else "no reason given"

"""The workers of a service: processes of their own, started again when they die, ended with the service."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
DRAIN_SECONDS = 60.0


class Crew:
    """So many processes of one command, workers by default.

    Each ends by itself when this process does, since its standard input ends then.
    """

    def __init__(self, count: int, options: Sequence[str], command: Sequence[str] = ("worker",)) -> None:
        self._command = [sys.executable, "-m", "casemate", *command, "--while-input", *options]
        self._stopping = threading.Event()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._threads = [threading.Thread(target=self._keep, args=(place,), daemon=True) for place in range(count)]

    def start(self) -> None:
        """Start the workers."""
        for thread in self._threads:
            thread.start()

    def alive(self) -> int:
        """Count the workers that run."""
        return sum(process.poll() is None for process in list(self._processes.values()))

    def stop(self) -> None:
        """Let every worker finish its job; one that takes too long is ended, and its job is free again."""
        self._stopping.set()
        for process in list(self._processes.values()):
            if process.stdin is not None:
                process.stdin.close()
        end = time.monotonic() + DRAIN_SECONDS
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0.0))
        for process in list(self._processes.values()):
            if process.poll() is None:
                process.terminate()

    def _keep(self, place: int) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            started = time.monotonic()
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
            self._processes[place] = process
            if self._stopping.is_set() and process.stdin is not None:
                process.stdin.close()
            process.wait()
            pause = FIRST_PAUSE if time.monotonic() - started > 60 else min(pause * 2, LONGEST_PAUSE)
            self._stopping.wait(pause)

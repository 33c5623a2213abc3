"""When a command that runs until it is told ends: by a signal, or with its standard input."""

import os
import signal
import threading


def stopped_by_signals() -> threading.Event:
    """Make the event that SIGTERM and SIGINT set."""
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: stopping.set())
    return stopping


def stop_with_input(stopping: threading.Event) -> None:
    """Set the event when standard input ends, which is when the parent is gone."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        stopping.set()

    threading.Thread(target=wait, daemon=True).start()

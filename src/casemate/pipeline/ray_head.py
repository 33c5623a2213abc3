"""The process that a Ray of our own hangs on: `ray start --block`, which ends as soon as whoever started it is gone."""

import os
import signal
import sys
import threading


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # nobody writes: it ends with the process at the other end, however that does
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run Ray's own command with the arguments of this process."""
    from ray.scripts.scripts import main as run_ray

    threading.Thread(target=_end_with_parent, daemon=True).start()
    run_ray()  # type: ignore[no-untyped-call]  # Ray ships no types for its command line


if __name__ == "__main__":
    main()

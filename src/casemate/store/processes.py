"""Whether a process of this host is still there."""

import os


def is_alive(process: int) -> bool:
    """Ask the system about a process id."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True

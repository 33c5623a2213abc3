"""Which host this is, and whether a process of it is still there."""

import os
import socket
from functools import cache
from hashlib import sha256
from pathlib import Path


@cache
def host_name() -> str:
    """Name this host as no other is named while it runs.

    Hosts made from one image may share a name, and containers of one host count their processes each from 1: so on
    Linux the boot and the space of process numbers are in it (proc(5), pid_namespaces(7)).
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
        told = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}-{sha256(told.encode()).hexdigest()[:12]}"


def is_alive(process: int) -> bool:
    """Ask the system about a process id."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True

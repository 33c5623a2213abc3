"""What the engine takes of the machine: seconds, joules and memory, shared out among the requests that ran."""

import contextlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
"""Where Linux tells the energy counters (RAPL) of whole processor packages; often readable by root only."""


@dataclass(frozen=True, slots=True)
class Share:
    """One request's part: seconds of the engine, and joules of the whole machine while it ran, None where unknown."""

    seconds: float
    joules: float | None


class EnergyCounter:
    """Adds up the joules of all processor packages since it was made; None where no package tells.

    Source: Linux, Documentation/power/powercap: `intel-rapl:N/energy_uj` in microjoules, which begins again at zero
    past `max_energy_range_uj`. Sub-zones (`intel-rapl:N:M`) are parts of a package and are not added.
    """

    def __init__(self, folder: Path = POWERCAP) -> None:
        self._last: dict[Path, int] = {}
        self._range: dict[Path, int] = {}
        self._sum = 0
        for zone in sorted(folder.glob("intel-rapl:*")) if folder.is_dir() else ():
            now, most = _number(zone / "energy_uj"), _number(zone / "max_energy_range_uj")
            if re.fullmatch(r"intel-rapl:\d+", zone.name) and now is not None and most:
                self._last[zone], self._range[zone] = now, most

    def joules(self) -> float | None:
        """Give the joules so far; None once a counter cannot be read."""
        for zone, last in self._last.items():
            now = _number(zone / "energy_uj")
            if now is None:
                self._last = {}
                return None
            self._sum += now - last if now >= last else now - last + self._range[zone]
            self._last[zone] = now
        return self._sum / 1e6 if self._last else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


class Shares:
    """Shares out seconds and joules equally among the requests that run at the same time; safe from several threads."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, joules: Callable[[], float | None] | None = None
    ) -> None:
        self._clock = clock
        self._joules = EnergyCounter().joules if joules is None else joules
        self._lock = threading.Lock()
        self._running: dict[object, tuple[float, float]] = {}
        self._at = 0.0
        self._energy: float | None = 0.0

    def begin(self) -> object:
        """Say that a request begins; gives what `end` wants."""
        token = object()
        with self._lock:
            self._share_out()
            self._running[token] = (0.0, 0.0)
        return token

    def end(self, token: object) -> Share:
        """Say that a request has ended and give its share."""
        with self._lock:
            self._share_out()
            seconds, joules = self._running.pop(token)
            return Share(seconds, None if self._energy is None else joules)

    def _share_out(self) -> None:
        now, energy = self._clock(), self._joules()
        parts = len(self._running)
        used = energy - self._energy if energy is not None and self._energy is not None else 0.0
        for token, (seconds, joules) in self._running.items():
            self._running[token] = (seconds + (now - self._at) / parts, joules + used / parts)
        self._at, self._energy = now, energy


def peak_bytes(pid: int | None) -> int:
    """Give the most resident memory a process has held, 0 where the system does not tell (proc(5), VmHWM)."""
    with contextlib.suppress(OSError, ValueError):
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    return 0

"""Rate limits: so many tries in so many seconds from one address, of IPv6 from one network of 64 bits."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

ADDRESSES = 10_000


class Buckets:
    """One leaky bucket an address, the longest unused forgotten."""

    def __init__(self, tries: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._tries = tries
        self._seconds = seconds
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Count one more try and say how many seconds to wait before the next is heard, 0 when this one is."""
        now = self._clock()
        address = place_of(address)
        with self._lock:
            level, then = self._levels.pop(address, (0.0, now))
            level = max(level - (now - then) * self._tries / self._seconds, 0.0)
            over = level + 1 > self._tries
            self._levels[address] = (level if over else level + 1, now)
            if len(self._levels) > ADDRESSES:
                self._levels.popitem(last=False)
        return (level + 1 - self._tries) * self._seconds / self._tries if over else 0.0


def place_of(address: str) -> str:
    """Name what is counted together: an IPv4 address, or the network that one holder of IPv6 addresses has."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))

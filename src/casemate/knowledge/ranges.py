"""Address ranges and names with a meaning of their own: the IANA special-purpose registries, as flags."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from functools import cache
from ipaddress import AddressValueError, IPv4Network, IPv6Address, IPv6Network, ip_network

SPECIAL_RANGES = (
    # RFC 6890 and the registries iana.org/assignments/iana-ipv4-special-registry and -ipv6-
    ("0.0.0.0/8", "reserved"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared-address"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("255.255.255.255/32", "broadcast"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("64:ff9b::/96", "translated"),
    ("100::/64", "reserved"),
    ("2001::/32", "tunnel"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "tunnel"),
    ("3fff::/20", "documentation"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
)
SPECIAL_NAMES = {
    # RFC 2606, RFC 6761, RFC 6762, RFC 8375, RFC 9476 and ICANN's reservation of .internal
    "example": "documentation",
    "example.com": "documentation",
    "example.net": "documentation",
    "example.org": "documentation",
    "alt": "special-use",
    "home.arpa": "special-use",
    "internal": "special-use",
    "invalid": "special-use",
    "local": "special-use",
    "localhost": "loopback",
    "test": "special-use",
}
_MAPPED = IPv6Network("::ffff:0:0/96")


def address_bounds(value: str) -> tuple[int, int, int] | None:
    """Read an address or network: version (4 or 6), first and last address as numbers; None when it is neither."""
    address, slash, prefix = value.partition("/")
    if not slash and ":" not in address:
        number = _read_v4(address)
        return None if number is None else (4, number, number)
    try:
        if not slash:
            number = int(IPv6Address(address.partition("%")[0]))
            if number in _range_of(_MAPPED):
                return 4, number & 0xFFFFFFFF, number & 0xFFFFFFFF
            return 6, number, number
        network: IPv4Network | IPv6Network = ip_network(f"{address}/{prefix}", strict=False)
    except (AddressValueError, ValueError):
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)


def _read_v4(value: str) -> int | None:
    parts = value.split(".")
    if len(parts) != 4:
        return None
    number = 0
    for part in parts:
        if not (part.isdecimal() and part.isascii() and len(part) <= 3):
            return None
        octet = int(part)
        if octet > 255:
            return None
        number = number << 8 | octet
    return number


def _range_of(network: IPv6Network) -> range:
    return range(int(network.network_address), int(network.broadcast_address) + 1)


def flatten(intervals: Iterable[tuple[int, int, int]]) -> tuple[list[int], list[frozenset[int]]]:
    """Turn overlapping intervals (first, last, label) into runs: where each begins, and the labels that hold in it."""
    edges: list[tuple[int, int, int]] = []
    for first, last, label in intervals:
        edges.append((first, 1, label))
        edges.append((last + 1, -1, label))
    edges.sort()
    starts, labels = [0], [frozenset[int]()]
    active: Counter[int] = Counter()
    place = 0
    while place < len(edges):
        at = edges[place][0]
        while place < len(edges) and edges[place][0] == at:
            active[edges[place][2]] += edges[place][1]
            if not active[edges[place][2]]:
                del active[edges[place][2]]
            place += 1
        current = frozenset(active)
        if current == labels[-1]:
            continue
        if starts[-1] == at:
            labels[-1] = current
        else:
            starts.append(at)
            labels.append(current)
    return starts, labels


@cache
def _special(version: int) -> tuple[list[int], list[frozenset[int]]]:
    networks = [(ip_network(cidr), place) for place, (cidr, _) in enumerate(SPECIAL_RANGES)]
    return flatten(
        (int(network.network_address), int(network.broadcast_address), place)
        for network, place in networks
        if network.version == version
    )


def address_flags(bounds: tuple[int, int, int]) -> tuple[str, ...]:
    """Name the special ranges that hold both ends of an address range."""
    version, first, last = bounds
    starts, labels = _special(version)
    held = labels[bisect_right(starts, first) - 1]
    if last != first:
        held &= labels[bisect_right(starts, last) - 1]
    return tuple(dict.fromkeys(SPECIAL_RANGES[place][1] for place in sorted(held)))


def name_flags(domain: str) -> tuple[str, ...]:
    """Name what is special about a lower-case domain name without its final dot, by its last labels."""
    labels = domain.split(".")
    for keep in (1, 2):
        flag = SPECIAL_NAMES.get(".".join(labels[-keep:]))
        if flag:
            return (flag,)
    return ()

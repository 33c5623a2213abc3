"""Warning lists as tables that a million look-ups can share: hashes of members, and runs of addresses.

A member is kept as the first 64 bits of its BLAKE2b: with 2.3 million members the chance that a value which is on no
list is flagged is below one in 10^12, and the lists need 12 bytes a member instead of 100. `=x` is the key of a
member that is matched whole, `.x` that of one which also covers its subdomains.
"""

import json
import re
import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Literal, overload

from casemate.knowledge.ranges import address_bounds, address_flags, flatten, name_flags
from casemate.knowledge.records import WarningList

ADDRESS_TYPES = frozenset({"ipv4-addr", "ipv6-addr"})
_LONGEST = 2_048  # characters of a value that are looked at; longer ones are no name, address or hash
_MOST_REMEMBERED = 50_000  # zones such as `com` or `amazonaws.com`, which many names share
_NUMBER_BITS = 16  # of a pair, for the number of the list
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1
_PHP_PATTERN = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)


def key_of(text: str) -> int:
    """Hash one key to 64 bits."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def pack_members(item: WarningList) -> bytes:
    """Pack what the tables need of one list: sorted hashes of whole members and domains, text of the others."""
    if item.matching in {"cidr", "regex"}:
        return zlib.compress("\n".join(item.values).encode(), 6)
    # A substring list is matched at label borders: `mail.com` is to warn of x@mail.com, not of x@hotmail.com.
    covers = item.matching in {"hostname", "substring"}
    keys = {
        f".{clean.lstrip('*.')}" if covers or clean[0] in "*." else f"={clean}"
        for value in item.values
        if (clean := value.strip().lower().rstrip(".")).strip("*.")
    }
    return _to_little(array("Q", sorted(map(key_of, keys)))).tobytes()


def _to_little(values: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        values.byteswap()
    return values


def make_tables(lists: Iterable[tuple[int, str, bytes]]) -> dict[str, bytes]:
    """Join the packed lists (number, matching, members) into the tables that `Flags` reads."""
    sets: dict[frozenset[int], int] = {frozenset(): 0}
    pairs: list[int] = []
    intervals: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
    for number, matching, packed in lists:
        if matching == "cidr":
            for value in zlib.decompress(packed).decode().splitlines():
                bounds = address_bounds(value.strip())
                if bounds:
                    intervals[bounds[0]].append((bounds[1], bounds[2], number))
        elif matching != "regex":
            pairs += [key << _NUMBER_BITS | number for key in _read_array("Q", packed)]
    pairs.sort()
    hashes, members = _join_pairs(pairs, sets)
    tables = {"hashes": _to_little(hashes).tobytes(), "members": _to_little(members).tobytes()}
    for version, runs in intervals.items():
        starts, labels = flatten(runs)
        numbers = array("I", [sets.setdefault(label, len(sets)) for label in labels])
        tables[f"runs{version}"] = b"".join(start.to_bytes(17, "big") for start in starts)
        tables[f"labels{version}"] = _to_little(numbers).tobytes()
    tables["sets"] = json.dumps([sorted(held) for held in sets]).encode()
    return tables


def _join_pairs(pairs: list[int], sets: dict[frozenset[int], int]) -> "tuple[array[int], array[int]]":
    """Make of sorted (hash, list) pairs the distinct hashes and, beside each, the number of its set of lists."""
    hashes, members = array("Q"), array("I")
    last, held = -1, frozenset[int]()
    for pair in pairs:
        key, number = pair >> _NUMBER_BITS, pair & _NUMBER_MASK
        if key == last:
            held |= {number}
            members[-1] = sets.setdefault(held, len(sets))
        else:
            last, held = key, _alone(number)
            hashes.append(key)
            members.append(sets.setdefault(held, len(sets)))
    return hashes, members


@cache
def _alone(number: int) -> frozenset[int]:
    return frozenset((number,))


@dataclass(slots=True)
class Flags:
    """Look-ups in the tables; made by `load_flags`, shared by threads because nothing in it changes but caches."""

    hashes: Sequence[int]
    members: Sequence[int]
    runs: Mapping[int, Sequence[int]]
    labels: Mapping[int, Sequence[int]]
    sets: list[list[int]]
    lists: Mapping[int, tuple[str, frozenset[str]]]
    patterns: tuple[tuple[int, re.Pattern[str]], ...]
    _named: dict[tuple[int, str], tuple[str, ...]] = field(default_factory=dict)
    _covered: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def of(self, type_: str, value: str) -> tuple[str, ...]:
        """Name the lists and ranges in which a value of this observable type stands."""
        if len(value) > _LONGEST:
            return ()
        if type_ in ADDRESS_TYPES:
            return self._of_address(type_, value)
        clean = value.strip().lower()
        if type_ == "domain-name":
            return self._of_domain(type_, clean.rstrip("."))
        if type_ == "url":
            host = host_of(clean)
            found = self._of_address(type_, host) if address_bounds(host) else self._of_domain(type_, host)
            return tuple(dict.fromkeys((*self._find(type_, f"={clean}"), *found)))
        if type_ == "email-addr":
            domain = clean.rpartition("@")[2].rstrip(".")
            found = (*self._find(type_, f"={clean}"), *self._of_domain(type_, domain))
            return tuple(dict.fromkeys((*found, *self._of_patterns(type_, clean))))
        return self._find(type_, f"={clean}")

    def _find(self, type_: str, key: str) -> tuple[str, ...]:
        wanted = key_of(key)
        place = bisect_left(self.hashes, wanted)
        if place < len(self.hashes) and self.hashes[place] == wanted:
            return self._names(self.members[place], type_)
        return ()

    def _of_domain(self, type_: str, domain: str) -> tuple[str, ...]:
        found = [*name_flags(domain), *self._find(type_, f"={domain}")]
        rest = domain
        while rest:
            held = self._covered.get((type_, rest))
            if held is None:
                held = self._find(type_, f".{rest}")
                if len(self._covered) > _MOST_REMEMBERED:
                    self._covered.clear()
                self._covered[type_, rest] = held
            found += held
            rest = rest.partition(".")[2]
        return tuple(dict.fromkeys(found))

    def _of_address(self, type_: str, value: str) -> tuple[str, ...]:
        bounds = address_bounds(value.strip())
        if bounds is None:
            return ()
        version, first, last = bounds
        runs, labels = self.runs[version], self.labels[version]
        found = address_flags(bounds)
        if runs:
            begin = labels[bisect_right(runs, first) - 1]
            names = self._names(begin, "")
            if last != first:
                # A network is on a list when both its ends are.
                end = self._names(labels[bisect_right(runs, last) - 1], "")
                names = tuple(name for name in names if name in end)
            found += names
        if first == last:
            found += self._find(type_, f"={value.strip().lower()}")
        return tuple(dict.fromkeys(found))

    def _of_patterns(self, type_: str, value: str) -> Iterable[str]:
        for number, pattern in self.patterns:
            name, types = self.lists[number]
            if type_ in types and pattern.search(value):
                yield name

    def _names(self, number: int, type_: str) -> tuple[str, ...]:
        """Name the lists of a set; a type leaves out the lists that are about other types, `` none."""
        known = self._named.get((number, type_))
        if known is None:
            named = (self.lists[member] for member in self.sets[number] if member in self.lists)
            known = tuple(name for name, types in named if not type_ or type_ in types)
            self._named[number, type_] = known
        return known


def host_of(url: str) -> str:
    """Cut the host out of a lower-case URL, without user, port and brackets; empty when there is none."""
    rest = url.partition("://")[2] or url
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    rest = rest.rpartition("@")[2]
    if rest.startswith("["):
        return rest[1:].partition("]")[0]
    return rest.partition(":")[0].rstrip(".")


def load_flags(
    table: Callable[[str], bytes],
    lists: Iterable[tuple[int, str, str, str]],
    members: Callable[[int], bytes],
) -> Flags:
    """Read the tables by name, and the lists (number, name, matching, types) with their patterns."""
    rows = list(lists)
    patterns: list[tuple[int, re.Pattern[str]]] = []
    for number, _, matching, types in rows:
        if matching == "regex" and "email-addr" in types:
            texts = zlib.decompress(members(number)).decode().splitlines()
            patterns += [(number, pattern) for text in texts if (pattern := _compile(text))]
    runs = {version: _Runs(table(f"runs{version}")) for version in (4, 6)}
    labels = {version: _view("I", table(f"labels{version}")) for version in (4, 6)}
    return Flags(
        hashes=_view("Q", table("hashes")),
        members=_view("I", table("members")),
        runs=runs,
        labels=labels,
        sets=json.loads(table("sets") or b"[[]]"),
        lists={number: (name, frozenset(types.split())) for number, name, _, types in rows},
        patterns=tuple(patterns),
    )


def _view(code: Literal["I", "Q"], data: bytes) -> Sequence[int]:
    """Read a table where it lies: millions of numbers are not copied to look up a few."""
    return memoryview(data).cast(code) if sys.byteorder == "little" else _read_array(code, data)


def _read_array(code: str, data: bytes) -> "array[int]":
    values = array(code)
    values.frombytes(data)
    return _to_little(values)


class _Runs(Sequence[int]):
    """The first addresses of the runs, 17 bytes each as stored: read where a search looks, not all at once."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data) // 17

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> "Sequence[int]": ...
    def __getitem__(self, place: int | slice) -> "int | Sequence[int]":
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(place)
        return int.from_bytes(self._data[place * 17 : place * 17 + 17], "big")


def _compile(text: str) -> re.Pattern[str] | None:
    """Compile a pattern as PHP writes it, `/pattern/flags`; None for one that Python does not know."""
    written = _PHP_PATTERN.fullmatch(text.strip())
    pattern, letters = (written[1], written[2]) if written else (text, "")
    try:
        return re.compile(pattern, re.IGNORECASE if "i" in letters else 0)
    except re.error:
        return None

"""The peers that `casemate bench extract` measures in the same run: adapters, run in a process of their own.

Run as `python -m casemate.bench.peers NAME SECONDS`, it reads file names from standard input, one a line, and writes
one line of JSON for each: the keys found, the seconds it took, and whether it was given up after SECONDS.
"""

import importlib
import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from casemate.bench.gold import Key, compare_key

_FILE = ("file:MD5", "file:SHA-1", "file:SHA-256")
_SEARCHER = {
    "ip4": ("ipv4-addr", ""), "ip6": ("ipv6-addr", ""), "ip4Net": ("ipv4-addr", ""), "fqdn": ("domain-name", ""),
    "url": ("url", ""), "email": ("email-addr", ""), "cve": ("vulnerability", ""), "md5": ("file", "MD5"),
    "sha1": ("file", "SHA-1"), "sha256": ("file", "SHA-256"), "ttp": ("attack-pattern", ""),
}  # fmt: skip
_FINDER = {
    "ipv4s": ("ipv4-addr", ""), "ipv4_cidrs": ("ipv4-addr", ""), "ipv6s": ("ipv6-addr", ""),
    "domains": ("domain-name", ""), "urls": ("url", ""), "email_addresses": ("email-addr", ""),
    "cves": ("vulnerability", ""), "md5s": ("file", "MD5"), "sha1s": ("file", "SHA-1"),
    "sha256s": ("file", "SHA-256"), "sha512s": ("file", "SHA-512"), "mac_addresses": ("mac-addr", ""),
}  # fmt: skip
_HASHES = {32: "MD5", 40: "SHA-1", 64: "SHA-256", 128: "SHA-512"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer: the module that must be importable, the types it knows, and how it is called."""

    module: str
    types: frozenset[str]
    load: Callable[[], Callable[[str], set[Key]]]


def _iocsearcher() -> Callable[[str], set[Key]]:
    searcher: Any = importlib.import_module("iocsearcher.searcher").Searcher()

    def find(text: str) -> set[Key]:
        found = [(one.name, one.value) for one in searcher.search_data(text) if one.name in _SEARCHER]
        return {compare_key(_SEARCHER[name][0], value, _SEARCHER[name][1]) for name, value in found}

    return find


def _ioc_finder() -> Callable[[str], set[Key]]:
    finder: Any = importlib.import_module("ioc_finder")

    def find(text: str) -> set[Key]:
        return {
            compare_key(_FINDER[name][0], value, _FINDER[name][1])
            for name, values in finder.find_iocs(text).items()
            if name in _FINDER
            for value in values
        }

    return find


def _iocextract() -> Callable[[str], set[Key]]:
    extract: Any = importlib.import_module("iocextract")

    def find(text: str) -> set[Key]:
        found = {compare_key("url", value) for value in extract.extract_urls(text, refang=True)}
        for value in extract.extract_ips(text, refang=True):
            found.add(compare_key("ipv6-addr" if value.count(":") > 1 else "ipv4-addr", value))
        found |= {compare_key("email-addr", value) for value in extract.extract_emails(text, refang=True)}
        for value in extract.extract_hashes(text):
            if len(value) in _HASHES:
                found.add(compare_key("file", value, _HASHES[len(value)]))
        return found

    return find


PEERS: dict[str, Peer] = {
    "iocsearcher": Peer(
        "iocsearcher",
        frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "vulnerability", *_FILE}),
        _iocsearcher,
    ),
    "ioc-finder": Peer(
        "ioc_finder",
        frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "vulnerability", "mac-addr", *_FILE})
        | {"file:SHA-512"},
        _ioc_finder,
    ),
    "iocextract": Peer(
        "iocextract", frozenset({"ipv4-addr", "ipv6-addr", "url", "email-addr", *_FILE, "file:SHA-512"}), _iocextract
    ),
}
"""The peers by the name they have on PyPI."""


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What a peer found in one file; `given_up` when it was stopped."""

    keys: frozenset[Key]
    seconds: float
    given_up: bool = False


def installed_peers() -> list[str]:
    """Name the peers that can be imported here."""
    return [name for name, peer in PEERS.items() if importlib.util.find_spec(peer.module) is not None]


def ask_peer(name: str, files: Sequence[Path], seconds_each: float = 30.0) -> list[PeerAnswer]:
    """Run a peer over files in a process of its own; a file that takes longer than `seconds_each` is given up.

    When the process dies, the files it did not answer count as given up.
    """
    command = [sys.executable, "-m", "casemate.bench.peers", name, str(seconds_each)]
    asked = "".join(f"{path.resolve()}\n" for path in files)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    answers = []
    for line in done.stdout.splitlines():
        row = json.loads(line)
        answers.append(
            PeerAnswer(frozenset((kind, value) for kind, value in row["keys"]), row["seconds"], row["given_up"])
        )
    return answers + [PeerAnswer(frozenset(), 0.0, given_up=True)] * (len(files) - len(answers))


class _TookTooLong(Exception):
    pass


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _TookTooLong


def _answers(find: Callable[[str], set[Key]], names: Iterator[str], seconds: float) -> Iterator[str]:
    for name in names:
        text = Path(name.rstrip("\n")).read_text("utf-8", "replace")
        begin = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, seconds)
        given_up = False
        keys: set[Key] = set()
        try:
            keys = find(text)
        except _TookTooLong:
            given_up = True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        took = time.process_time() - begin
        yield json.dumps({"keys": sorted(keys), "seconds": took, "given_up": given_up})


def main(arguments: Sequence[str]) -> int:
    """Answer for the files named on standard input."""
    name, seconds = arguments[0], float(arguments[1])
    signal.signal(signal.SIGALRM, _stop)
    for line in _answers(PEERS[name].load(), iter(sys.stdin), seconds):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

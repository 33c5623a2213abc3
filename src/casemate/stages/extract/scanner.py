"""The scanner: text in, sightings of observables out, in one pass."""

from operator import itemgetter
from pathlib import Path
from typing import Protocol

from casemate.core.errors import WrongUsage
from casemate.core.observable import Sighting
from casemate.stages.extract.addresses import read_ipv4, read_ipv6
from casemate.stages.extract.engine_hyperscan import HyperscanEngine
from casemate.stages.extract.engine_re import ReEngine
from casemate.stages.extract.found import Found, Reader
from casemate.stages.extract.hashes import (
    hash_reader,
    read_bech32,
    read_bitcoin,
    read_ethereum,
    read_ja4,
    read_monero,
    read_ssdeep,
    read_tlsh,
)
from casemate.stages.extract.identifiers import (
    read_asn,
    read_attack,
    read_cve,
    read_cwe,
    read_event_id,
    read_ghsa,
    read_mac,
    read_sid,
)
from casemate.stages.extract.names import read_defanged, read_defanged_at, read_domain, read_idn
from casemate.stages.extract.patterns import ANCHORS, KIND_BITS, KIND_MASK
from casemate.stages.extract.places import (
    read_browser,
    read_marked_agent,
    read_mutex,
    read_registry,
    read_unix_path,
    read_windows_path,
)
from casemate.stages.extract.refang import clear_view
from casemate.stages.extract.urls import read_url

READERS: dict[str, Reader] = {
    "ipv4": read_ipv4,
    "ipv6": read_ipv6,
    "domain": read_domain,
    "idn": read_idn,
    "url": read_url,
    "defanged": read_defanged,
    "defanged-at": read_defanged_at,
    "md5": hash_reader("MD5", 32),
    "sha1": hash_reader("SHA-1", 40),
    "sha256": hash_reader("SHA-256", 64),
    "sha512": hash_reader("SHA-512", 128),
    "tlsh": read_tlsh,
    "ssdeep": read_ssdeep,
    "cve": read_cve,
    "ghsa": read_ghsa,
    "cwe": read_cwe,
    "attack": read_attack,
    "unix-path": read_unix_path,
    "windows-path": read_windows_path,
    "registry": read_registry,
    "mutex": read_mutex,
    "user-agent": read_browser,
    "marked-agent": read_marked_agent,
    "asn": read_asn,
    "mac": read_mac,
    "bitcoin": read_bitcoin,
    "bech32": read_bech32,
    "ethereum": read_ethereum,
    "monero": read_monero,
    "ja4": read_ja4,
    "sid": read_sid,
    "event-id": read_event_id,
}
"""What confirms the anchors of each name."""

SEEN_INSIDE = frozenset(
    {
        "file",
        "vulnerability",
        "weakness",
        "attack-pattern",
        "x-mitre-tactic",
        "intrusion-set",
        "malware",
        "course-of-action",
        "cryptocurrency-wallet",
        "tls-fingerprint",
        "windows-sid",
    }
)
"""Types that are reported even inside a URL, a path or a key; any other is not seen inside what was already found.

A hash inside a URL is reported only where it is a whole part of its path, and long enough not to be a session's token.
"""

_SEEN_BEYOND_TEXT = """
md5 sha1 sha256 sha512 tlsh ssdeep cve ghsa cwe attack bitcoin bech32 ethereum monero ja4 sid mutex marked-agent
event-id
"""
SEEN_BEYOND = frozenset(_SEEN_BEYOND_TEXT.split())
"""Anchors that are asked even inside what was found: of the types above, or of marks whose thing stands behind them."""


class Engine(Protocol):
    """Finds the anchors of `patterns.ANCHORS` in padded bytes."""

    name: str

    def hits(self, data: bytes) -> list[int]:
        """List where anchors end, each as `end << KIND_BITS | anchor`, in ascending order, each once."""
        ...


def _choose(engine: str, cache: Path | None) -> Engine:
    if engine == "re":
        return ReEngine()
    if engine == "hyperscan":
        return HyperscanEngine(cache)
    if engine != "auto":
        raise WrongUsage(f"unknown scan engine {engine!r}", way_out='choose "auto", "hyperscan" or "re"')
    try:
        import hyperscan  # noqa: F401 - only whether it is there
    except ImportError:
        return ReEngine()
    return HyperscanEngine(cache)


class Scanner:
    """Finds observables in text; make one and use it for many texts, in one thread at a time.

    `engine` is `auto` (hyperscan where it is installed, else `re`), `hyperscan` or `re`; all give the same answers.
    `cache` is a folder where the compiled form may be kept.
    """

    def __init__(self, engine: str = "auto", cache: Path | None = None) -> None:
        self._engine = _choose(engine, cache)
        self._table = [(READERS[one.name], one.tail, one.name not in SEEN_BEYOND) for one in ANCHORS]

    @property
    def engine(self) -> str:
        """The name of the engine in use."""
        return self._engine.name

    def scan(self, text: str, start: int = 0) -> list[Sighting]:
        """Find the observables in `text`, whose first character is at offset `start` of the whole; sorted by start.

        Nothing found spans two lines, so a text cut at line ends gives the same sightings in parts as in one.
        """
        padded = f"\n{text}\n"
        if text.isascii():
            return self._confirm(padded, padded, start - 1, [])
        view, offsets = clear_view(padded)
        return self._confirm(view, padded, start - 1, offsets)

    def _confirm(self, view: str, padded: str, shift: int, offsets: list[int]) -> list[Sighting]:
        """Ask the readers at every anchor of the view; `offsets` lead from the view to `padded` where they differ."""
        table, make = self._table, tuple.__new__
        found: list[Sighting] = []
        append = found.append
        covered, url_end = 0, 0
        for hit in self._engine.hits(view.encode("latin-1", "replace")):
            read, tail, covers = table[hit & KIND_MASK]
            at = (hit >> KIND_BITS) - tail
            if covers and at <= covered:
                continue
            results = read(view, at)
            if not results:
                continue
            kind, _, low, high, _ = results[0]
            if covers or kind not in SEEN_INSIDE:
                if low < covered:
                    if not kind:
                        covered = max(covered, high)
                    continue
                covered = high
                if kind == "url":
                    url_end = high
                elif not kind:
                    continue
            elif low < url_end and kind == "file" and not _names_a_sample(view, results[0]):
                continue
            for kind, value, low, high, name in results:
                if offsets:
                    low, high = offsets[low], offsets[high - 1] + 1  # noqa: PLW2901 - the same place in `padded`
                append(make(Sighting, (kind, value, padded[low:high], low + shift, high + shift, name, ())))
        found.sort(key=_START)
        return found


_START = itemgetter(3)


def _names_a_sample(text: str, found: Found) -> bool:
    """Say whether a hash inside a URL is what its path names (`.../file/<sha256>`), not a token or a random name."""
    _, _, start, end, name = found
    return (
        name in {"SHA-256", "SHA-512"} and text[start - 1] == "/" and not text[end].isalnum() and text[end] not in "._-"
    )

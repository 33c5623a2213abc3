"""The fast engine: all anchors in one pass of hyperscan (vectorscan on Arm)."""

import contextlib
import os
import platform
from pathlib import Path
from types import ModuleType
from typing import Any

from casemate.core.digest import digest_bytes, digest_value
from casemate.core.errors import EngineFailed
from casemate.stages.extract.patterns import ANCHORS, KIND_BITS

_DIGEST_CHARS = 64


class HyperscanEngine:
    """Find anchors with hyperscan; one instance is not to be shared between threads.

    Compiling the anchors takes about 0.3 s. With `cache`, a folder that only the user may write to, the compiled form
    is kept there under the name of the anchors, the library and the machine, behind its SHA-256: one that is damaged
    or of another kind is compiled anew. A folder that cannot be written to is done without.
    """

    name = "hyperscan"

    def __init__(self, cache: Path | None = None) -> None:
        try:
            import hyperscan
        except ImportError as error:
            raise EngineFailed(
                f"hyperscan cannot be loaded: {error}", way_out='install "hyperscan", or choose the engine "re"'
            ) from error
        kept = None if cache is None else cache / f"anchors-{_name(hyperscan)[:16]}.hs"
        self._database: Any = _load(hyperscan, kept) if kept is not None else None
        if self._database is None:
            self._database = _compile(hyperscan)
            if kept is not None:
                _keep(hyperscan, self._database, kept)

    def hits(self, data: bytes) -> list[int]:
        """List where anchors end, each as `end << KIND_BITS | anchor`, in ascending order, each once."""
        found: list[int] = []
        append = found.append

        def note(anchor: int, _start: int, end: int, _flags: int, _context: object) -> None:
            append(end << KIND_BITS | anchor)

        self._database.scan(data, match_event_handler=note)
        found.sort()
        return found


def _name(hyperscan: ModuleType) -> str:
    anchors = [[anchor.regex, anchor.caseless] for anchor in ANCHORS]
    return digest_value([anchors, hyperscan.__version__, platform.machine(), platform.node()])


def _compile(hyperscan: ModuleType) -> Any:
    flags = [hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_CASELESS if anchor.caseless else 0) for anchor in ANCHORS]
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[anchor.regex.encode("ascii") for anchor in ANCHORS],
            ids=list(range(len(ANCHORS))),
            elements=len(ANCHORS),
            flags=flags,
        )
    except hyperscan.error as error:
        raise EngineFailed(f"hyperscan refused the patterns: {error}", way_out='choose the engine "re"') from error
    return database


def _load(hyperscan: ModuleType, kept: Path) -> Any:
    try:
        data = kept.read_bytes()
    except OSError:
        return None
    digest, body = data[:_DIGEST_CHARS], data[_DIGEST_CHARS:]
    if digest_bytes(body).encode() != digest:
        return None
    try:
        database = hyperscan.loadb(body, mode=hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.error:
        return None
    return database


def _keep(hyperscan: ModuleType, database: Any, kept: Path) -> None:
    body = hyperscan.dumpb(database)
    fresh = kept.with_name(f".{kept.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_bytes(digest_bytes(body).encode() + body)
        fresh.replace(kept)

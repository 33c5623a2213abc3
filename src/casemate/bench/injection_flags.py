"""How many attacks the finder of injections flags, by set, and how often it flags what is no attack.

The flag is a sign for people and no defence; what it misses is measured by `injection.py`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from casemate.bench.injection_sets import Attack
from casemate.core.issue import Issue
from casemate.core.text import Chunk
from casemate.policy import Limits
from casemate.stages.extract.injections import find_injections
from casemate.stages.ingest import find_sources, read


def flagged_by_set(attacks: Sequence[Attack]) -> dict[str, dict[str, float]]:
    """Tell for each set how many of its attacks hold at least one flag."""
    report: dict[str, dict[str, float]] = {}
    for name, held in groupby(sorted(attacks, key=lambda one: one.set), key=lambda one: one.set):
        texts = [one.text for one in held]
        flagged = sum(any(True for _ in find_injections(text, 0)) for text in texts)
        report[name] = {"attacks": len(texts), "flagged": flagged, "rate": round(flagged / len(texts), 4)}
    return report


def flags_on_clean(
    paths: Sequence[str], limits: Limits, progress: Callable[[str], None] = lambda _: None
) -> dict[str, dict[str, Any]]:
    """Read files or folders that hold no attack, archives too, and count the flags in their text.

    Each path is a row: millions of characters that were read, flags, flags a million, and flags by kind.
    """
    report: dict[str, dict[str, Any]] = {}
    for path in paths:
        chars, kinds = 0, Counter[str]()
        for source in find_sources([path], limits):
            if isinstance(source, Issue):
                continue
            progress(f"reading what is clean, {chars / 1e6:.0f} million characters")
            for item in read(source, limits, events=False):
                if isinstance(item, Chunk):
                    chars += len(item.text)
                    kinds.update(one.kind for one in find_injections(item.text, item.start))
        flags = kinds.total()
        report[path] = {
            "million_chars": round(chars / 1e6, 2),
            "flags": flags,
            "per_million": round(flags / chars * 1e6, 2) if chars else 0.0,
            "kinds": dict(kinds),
        }
    return report

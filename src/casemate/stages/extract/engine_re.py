"""The portable engine: the same anchors with the standard library's `re`, slower and with the same answers."""

import re

from casemate.stages.extract.patterns import ANCHORS, KIND_BITS, Anchor

_FIRST = re.compile(rb"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|.", re.DOTALL)


def _compile(anchor: Anchor) -> re.Pattern[bytes]:
    # Only the first character is consumed, so matches that overlap come out as hyperscan reports them.
    regex = anchor.regex.encode("ascii")
    first = _FIRST.match(regex)
    assert first is not None
    flags = re.DOTALL | (re.IGNORECASE if anchor.caseless else 0)
    return re.compile(first[0] + b"(?=(" + regex[first.end() :] + b"))", flags)


class ReEngine:
    """Find anchors with `re`, one pattern after the other; a literal that must be there rules most of them out."""

    name = "re"

    def __init__(self) -> None:
        self._patterns = [_compile(anchor) for anchor in ANCHORS]

    def hits(self, data: bytes) -> list[int]:
        """List where anchors end, each as `end << KIND_BITS | anchor`, in ascending order, each once."""
        lowered = data.lower()
        found: set[int] = set()
        for number, (anchor, pattern) in enumerate(zip(ANCHORS, self._patterns, strict=True)):
            if anchor.needs and anchor.needs not in lowered:
                continue
            found.update(match.end(1) << KIND_BITS | number for match in pattern.finditer(data))
        return sorted(found)

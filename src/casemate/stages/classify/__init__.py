"""Narrow learned specialists, each calibrated, each free to abstain.

None is shipped yet: `SPECIALISTS` is empty and the stage returns nothing. The port stands, so that a specialist is one
file and one line in the dict.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from casemate.core.digest import Digest
from casemate.core.finding import Finding
from casemate.core.text import Span


class Specialist(Protocol):
    """Answers one narrow question about a passage of evidence."""

    @property
    def digest(self) -> Digest:
        """The digest of the weights, recorded as the finding's `maker`."""
        ...

    def classify(self, text: str, span: Span) -> Sequence[Finding]:
        """Give findings that cite `span`, with basis `specialist` and a calibrated probability; none is abstaining."""
        ...


SPECIALISTS: Mapping[str, Specialist] = {}


def classify(text: str, span: Span, specialists: Mapping[str, Specialist] = SPECIALISTS) -> tuple[Finding, ...]:
    """Ask every specialist about one passage and give what they propose, in the order of their names."""
    return tuple(finding for name in sorted(specialists) for finding in specialists[name].classify(text, span))

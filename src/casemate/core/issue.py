"""A problem with the data: returned, shown and stored, never raised."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much an issue matters to the person who reads the case."""

    NOTE = "note"  # worth knowing; nothing is missing
    WARNING = "warning"  # a part was left out or changed
    ERROR = "error"  # an input, or most of it, could not be read


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem with one input or one proposal.

    `code` is a stable kebab-case name such as `zip-ratio` or `quote-not-found`; `source` names the input as the user
    gave it (members of containers are appended with `!`); `place` is where in it (`line 12`, `byte 4096`, `page 3`),
    empty when the whole input is meant; `way_out` says what the person can do.
    """

    code: str
    severity: Severity
    message: str
    source: str = ""
    place: str = ""
    way_out: str = ""

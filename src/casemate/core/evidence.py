"""Evidence: what came in, and the items that reading one source yields."""

from dataclasses import dataclass
from datetime import datetime

from casemate.core.digest import Digest
from casemate.core.marking import Marking


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was received: a file, a member of an archive, an attachment.

    `id` is the SHA-256 of its bytes. `source` is the name as received, members appended with `!`
    (`mail.eml!invoice.zip!run.ps1`); it is hostile text. `format` is the name of the reader that read it. `size` counts
    bytes, `length` characters of the normalised text, `lines` its lines. `parent` is the evidence it came out of.
    `received` is aware UTC.
    """

    id: Digest
    source: str
    format: str
    marking: Marking
    size: int
    length: int
    lines: int
    received: datetime
    parent: Digest | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """Reading has come to a new part of a source: the source itself (part 0) or something found inside it."""

    part: int
    parent: int | None
    source: str
    format: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A part was read to its end (or as far as it could be): its identity and its measures.

    `id` is the SHA-256 of the part's bytes that were read; `complete` is false when a limit or damage stopped the
    reading (an `Issue` says which).
    """

    part: int
    id: Digest
    size: int
    length: int
    lines: int
    complete: bool = True

"""The audit event: who did what to which thing, in a chain that shows any edit."""

from dataclasses import dataclass
from datetime import datetime

from casemate.core.digest import Digest


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One link of the chain. `body` is plain JSON data and never holds evidence text, only digests and ids.

    `previous` is the digest of the link before (64 zeros for the first), `digest` that of this one.
    """

    number: int
    time: datetime
    actor: str
    action: str
    subject: str
    body: tuple[tuple[str, str], ...]
    previous: Digest
    digest: Digest

"""A reviewed case on its way out, and what a receiver says of it."""

from dataclasses import dataclass
from typing import Protocol

from casemate.core.case import Case
from casemate.core.digest import Digest, digest_bytes
from casemate.core.errors import ConnectorFailed
from casemate.core.text import Texts
from casemate.stages.export import render


@dataclass(frozen=True, slots=True)
class Parcel:
    """One edition of a closed case; `revision` counts its editions."""

    case: Case
    edition: Digest
    revision: int
    texts: Texts

    def rendered(self, form: str) -> bytes:
        """Write the case in a format of `stages.export`."""
        return render(self.case, form, self.texts)


@dataclass(frozen=True, slots=True)
class Given:
    """That a receiver has a case: what it calls it there, and the digest of what was sent."""

    reference: str
    sent: Digest

    @classmethod
    def of(cls, reference: object, sent: bytes) -> "Given":
        """Make it of the bytes that were sent; `reference` is hostile text and is cut."""
        return cls(str(reference)[:200], digest_bytes(sent))


class PushRefused(ConnectorFailed):
    """The receiver works, and does not take this case."""


class Receiver(Protocol):
    """Where reviewed cases go."""

    def give(self, parcel: Parcel) -> Given:
        """Give one case, whole; the same edition again changes nothing there.

        `PushRefused` when this case is not taken, `ConnectorFailed` when nothing is taken at the moment.
        """
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...

"""Receive a source: name it by its bytes before it is read, so that the same bytes are never read twice."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from casemate.core.digest import Digest
from casemate.core.issue import Issue, Severity
from casemate.policy import Limits
from casemate.stages.ingest import Source

BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A source with the SHA-256 and the size of its bytes; `source` can be opened again and again."""

    source: Source
    digest: Digest
    size: int


def receive(source: Source, limits: Limits, keep: list[BinaryIO]) -> Received | Issue:
    """Hash a source; what can be read only once (a pipe, standard input) is spooled into a file that `keep` holds open.

    Bytes past `limits.source_bytes` are not hashed, as they are not read. An input that cannot be read is an `Issue`.
    """
    hasher = hashlib.sha256()
    size = 0
    try:
        with source.open() as stream:
            once = not _seekable(stream)
            spool = cast("BinaryIO", tempfile.SpooledTemporaryFile(limits.spool_bytes)) if once else None  # noqa: SIM115 - `keep` closes it
            while size < limits.source_bytes:
                block = stream.read(BLOCK)
                if not block:
                    break
                hasher.update(block)
                size += len(block)
                if spool is not None:
                    spool.write(block)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return Issue("unreadable", Severity.ERROR, reason, source.name, "", "check the path and that you may read it")
    if spool is not None:
        keep.append(spool)
        source = Source(source.name, lambda: _rewound(spool))
    return Received(source, Digest(hasher.hexdigest()), size)


def _seekable(stream: object) -> bool:
    seekable = getattr(stream, "seekable", None)
    return bool(seekable()) if callable(seekable) else False


@contextmanager
def _rewound(spool: BinaryIO) -> Iterator[BinaryIO]:
    spool.seek(0)
    yield spool

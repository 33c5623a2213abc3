"""Opening files that other programs write, without following links and without waiting for pipes."""

import os
import stat
from pathlib import Path

from casemate.core.errors import ConnectorFailed
from casemate.core.plain import plain

FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OpenFile:
    """A regular file, open for reading, that a rename or an unlink does not take away."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @property
    def status(self) -> os.stat_result:
        """The status of the file as it is now."""
        return os.fstat(self.descriptor)

    def read(self, size: int, offset: int) -> bytes:
        """Read up to `size` bytes from `offset`; fewer mean the end."""
        found = bytearray()
        while len(found) < size and (block := os.pread(self.descriptor, size - len(found), offset + len(found))):
            found += block
        return bytes(found)

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


def open_regular(path: str | Path, folder: int | None = None) -> OpenFile:
    """Open a regular file; `FileNotFoundError` when there is none, `ConnectorFailed` for a link or a special file."""
    try:
        descriptor = os.open(path, FLAGS, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConnectorFailed(
            f"{plain(str(path))}: {error.strerror}", way_out="name a file, no link, that casemate may read"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConnectorFailed(f"{plain(str(path))} is no regular file", way_out="name a regular file")
    return OpenFile(descriptor)

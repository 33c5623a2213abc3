"""A watched folder: every complete file in it is taken once, by its digest."""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from casemate.connectors.feed import Feed
from casemate.connectors.files import OpenFile, open_regular
from casemate.connectors.settings import FolderSettings
from casemate.core.digest import Digest
from casemate.core.errors import ConnectorFailed
from casemate.core.plain import plain
from casemate.pipeline.intake import looks_like_lines
from casemate.policy import Limits

BLOCK = 1024 * 1024
HEAD = 64 * 1024
TAKEN, REFUSED = "taken", "refused"
NAME_BYTES = 180


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was when it was looked at; `since` is the clock when it was first seen so."""

    device: int
    inode: int
    size: int
    changed: int
    since: float


class Refused(Exception):
    """A file that is never taken as it is; the message is safe to show."""


class FolderSource:
    """Takes files out of one folder; links, pipes and what is still being written are not taken."""

    def __init__(self, settings: FolderSettings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._seen: dict[str, _Seen] = {}
        self._settled: dict[str, tuple[int, int, int, int]] = {}  # names that need not be looked at again

    def round(self, feed: Feed) -> None:
        """Take what is complete; when nobody waits for a next round, wait here until what is there has settled."""
        self._look(feed)
        if not feed.patient and self._seen:
            feed.stopping.wait(self._settings.settle)
            self._look(feed)

    def close(self) -> None:
        """Let go of nothing: no file stays open."""

    def _look(self, feed: Feed) -> None:
        try:
            folder = os.open(self._settings.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ConnectorFailed(
                f"{self._settings.path}: {error.strerror}", way_out="name a folder that casemate may read"
            ) from error
        try:
            names = set()
            for name in self._names(folder):
                names.add(name)
                if not self._visit(feed, folder, name):
                    return
            for gone in [name for name in (*self._seen, *self._settled) if name not in names]:
                self._seen.pop(gone, None)
                self._settled.pop(gone, None)
        finally:
            os.close(folder)

    def _names(self, folder: int) -> list[str]:
        """List what may be taken, the oldest first."""
        found: list[tuple[int, str]] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(found) >= self._limits.connector_files:
                    break
                if entry.name.startswith(".") or entry.name.endswith(self._settings.unfinished):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if not stat.S_ISDIR(status.st_mode):
                    found.append((status.st_mtime_ns, entry.name))
        return [name for _, name in sorted(found)]

    def _visit(self, feed: Feed, folder: int, name: str) -> bool:
        """Look at one name; false when the round has to end."""
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return True  # gone meanwhile
        now = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if self._settled.get(name) == now:
            return True
        seen = self._seen.get(name)
        if seen is None or (seen.device, seen.inode, seen.size, seen.changed) != now:
            self._seen[name] = _Seen(*now, time.monotonic())
            return True
        if time.monotonic() - seen.since < self._settings.settle:
            return True
        if not feed.room():
            return False
        try:
            taken = self._take(feed, folder, name, now)
        except FileNotFoundError:
            return True
        except Refused as error:
            self._refuse(feed, folder, name, now, str(error))
            taken = True
        if taken:
            self._seen.pop(name, None)
            self._settled[name] = now
        return not feed.stopping.is_set()

    def _take(self, feed: Feed, folder: int, name: str, then: tuple[int, int, int, int]) -> bool:
        """Take one file; false when it changed while it was read, or when the round has to end."""
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise Refused(f"{plain(name)} is a link or a special file: put the file itself there")
        if then[2] > self._limits.upload_bytes:
            raise Refused(f"{plain(name)} is larger than limits.upload_bytes, {self._limits.upload_bytes:,}")
        try:
            file = open_regular(name, folder)
        except ConnectorFailed as error:
            raise Refused(error.message) from error
        with cast("BinaryIO", tempfile.SpooledTemporaryFile(self._limits.spool_bytes)) as spool:
            try:
                digest, size = _copy(file, spool, self._limits.upload_bytes)
                status = file.status
            finally:
                file.close()
            if (status.st_dev, status.st_ino, size, status.st_mtime_ns) != then:
                return False  # still being written: it is seen as changed in the next round
            if size == 0:
                return True
            if not self._hand_over(feed, name, digest, spool):
                return False
        if self._settings.after == "move":
            _move(folder, name, digest[:16], TAKEN, then)
        return True

    def _hand_over(self, feed: Feed, name: str, digest: Digest, spool: BinaryIO) -> bool:
        place = feed.place(digest)
        known = json.loads(place) if place is not None else {}
        if known.get("done"):
            return True
        spool.seek(0)
        head = spool.read(HEAD)
        whole = len(head) < HEAD
        spool.seek(0)
        if not looks_like_lines(head, ended=whole):
            done = feed.cursor(digest, json.dumps({"done": True}))
            feed.hand_file(name, spool.read(), (done,))
            return True
        after = int(known.get("lines", 0))
        for lines, number, last in _batches(spool, after, self._limits.batch_alerts):
            if not feed.room():
                return False
            feed.hand_lines(name, lines, (feed.cursor(digest, json.dumps({"lines": number, "done": last})),))
        return True

    def _refuse(self, feed: Feed, folder: int, name: str, then: tuple[int, int, int, int], why: str) -> None:
        feed.record("refused", name, why)
        if self._settings.after == "move":
            _move(folder, name, f"{then[1]:x}", REFUSED, then)


def _copy(file: OpenFile, spool: BinaryIO, most: int) -> tuple[Digest, int]:
    digest, size = hashlib.sha256(), 0
    while size <= most and (block := file.read(BLOCK, size)):
        digest.update(block)
        spool.write(block)
        size += len(block)
    return Digest(digest.hexdigest()), size


def _batches(spool: BinaryIO, after: int, most: int) -> Iterator[tuple[list[bytes], int, bool]]:
    """Give lines behind the first `after` in batches, with the number of the last, and whether it is the last."""
    lines: list[bytes] = []
    number = size = 0
    for line in spool:
        if len(lines) >= most or size >= BLOCK:
            yield lines, number, False
            lines, size = [], 0
        number += 1
        if number > after and (text := line.rstrip(b"\n")).strip():
            lines.append(text)
            size += len(text)
    yield lines, number, True


def _move(folder: int, name: str, mark: str, into: str, then: tuple[int, int, int, int]) -> None:
    """Move a file into a folder inside, `mark` in front of its name; one that was replaced meanwhile stays."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(into, 0o700, dir_fd=folder)
    try:
        inside = os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise ConnectorFailed(f"{into}: {error.strerror}", way_out="make room for a folder of that name") from error
    target = mark.encode() + b"-" + os.fsencode(name)[-NAME_BYTES:]
    try:
        os.rename(os.fsencode(name), target, src_dir_fd=folder, dst_dir_fd=inside)
        moved = os.stat(target, dir_fd=inside, follow_symlinks=False)
        if (moved.st_dev, moved.st_ino) != then[:2]:
            os.rename(target, os.fsencode(name), src_dir_fd=inside, dst_dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConnectorFailed(
            f"{plain(name)} cannot be moved: {error.strerror}", way_out="let casemate write to the folder"
        ) from error
    finally:
        os.close(inside)

"""The end of a file that another program writes on and rotates: Wazuh's alerts.json, Suricata's eve.json."""

import contextlib
import glob
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from casemate.connectors.feed import Feed
from casemate.connectors.files import OpenFile, open_regular
from casemate.connectors.settings import TailSettings
from casemate.core.errors import ConnectorFailed
from casemate.policy import Limits

BLOCK = 1024 * 1024
HEAD = 1024
NOTHING = b"\0 \t\r"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file that survives its renaming: `offset` bytes are read, and its first `size` have this digest."""

    device: int
    inode: int
    offset: int
    size: int
    head: str

    @classmethod
    def read(cls, text: str) -> "Mark":
        """Read what `text` wrote; `ValueError` when it is something else."""
        raw = json.loads(text)
        return cls(raw["device"], raw["inode"], raw["offset"], raw["size"], raw["head"])

    def text(self) -> str:
        """Write the mark."""
        names = ("device", "inode", "offset", "size", "head")
        return json.dumps({name: getattr(self, name) for name in names})


def mark_at(file: OpenFile, offset: int) -> Mark:
    """Make the mark of a file that is read up to `offset`."""
    status = file.status
    size = min(offset, HEAD)
    return Mark(status.st_dev, status.st_ino, offset, size, _digest(file.read(size, 0)))


def fits(file: OpenFile, mark: Mark) -> bool:
    """Tell whether what was read up to `mark` still stands in this file, whatever its name is by now."""
    status = file.status
    if status.st_size < mark.offset or _digest(file.read(mark.size, 0)) != mark.head:
        return False
    if mark.offset == 0:
        return (status.st_dev, status.st_ino) == (mark.device, mark.inode)
    return file.read(1, mark.offset - 1) == b"\n" or status.st_size == mark.offset


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class TailSource:
    """Follows one file through rotation by rename and by truncation; a last line that is not ended yet waits."""

    def __init__(
        self, settings: TailSettings, limits: Limits, keeps: Callable[[bytes], bool], rotated: Sequence[str] = ()
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._keeps = keeps
        self._path = Path(settings.path)
        self._input = str(self._path)
        self._patterns = settings.rotated or (glob.escape(self._input) + "?*", *rotated)
        self._file: OpenFile | None = None  # kept open, so that a file that is rotated away is still read to its end
        self._scanned = 0  # bytes of a line without an end that were looked through already

    def round(self, feed: Feed) -> None:
        """Read to the end of the file, and of those it was rotated into on the way."""
        mark = self._begin(feed)
        while mark is not None and self._file is not None:
            left = self._was_left(self._file)  # asked before reading: what is read after that is all there will be
            mark = self._read(feed, self._file, mark, last=left)
            if mark is None or not left:
                return
            mark = self._step(feed, self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._scanned = 0

    def _begin(self, feed: Feed) -> Mark | None:
        place = feed.place(self._input)
        if place is None:
            return self._first(feed)
        mark = Mark.read(place)
        if self._file is not None and fits(self._file, mark):
            return mark
        self.close()
        for file in (_opened(self._path), *map(_candidate, self._rotated())):
            if file is not None and fits(file, mark):
                self._file = file
                return replace(mark, device=file.status.st_dev, inode=file.status.st_ino)
            if file is not None:
                file.close()
        current = _opened(self._path)
        if current is None:
            return None  # between two files: it will be there soon
        what = f"{self._input} is not the file that was read up to byte {mark.offset}, and that file is gone"
        feed.record("gap", self._input, f"{what}; what it held behind that byte is lost", (("byte", str(mark.offset)),))
        self._file = current
        return mark_at(current, 0)

    def _first(self, feed: Feed) -> Mark | None:
        self.close()
        self._file = _opened(self._path)
        if self._file is None:
            raise ConnectorFailed(f"{self._input} is not there", way_out="check the path; it is looked for again")
        offset = 0 if self._settings.begin == "start" else _last_end(self._file)
        mark = mark_at(self._file, offset)
        feed.hand_lines("", (), (feed.cursor(self._input, mark.text()),))
        return mark

    def _was_left(self, file: OpenFile) -> bool:
        """Tell whether the writer has begun another file under the name; an empty one is not begun yet."""
        try:
            status = self._path.lstat()
        except FileNotFoundError:
            return False
        own = file.status
        return (status.st_dev, status.st_ino) != (own.st_dev, own.st_ino) and status.st_size > 0

    def _step(self, feed: Feed, old: OpenFile) -> Mark | None:
        """Go on to the file that was begun after `old`: a rotated one that nobody has read, else the current one."""
        then = old.status
        current = _opened(self._path)
        known = {(then.st_dev, then.st_ino)}
        if current is not None:
            known.add((current.status.st_dev, current.status.st_ino))
        following = None
        for path in reversed(list(self._rotated())):
            status = path.lstat()
            if (status.st_dev, status.st_ino) not in known and status.st_mtime_ns > then.st_mtime_ns:
                following = _candidate(path)
                break
        if following is not None and current is not None:
            current.close()
        self.close()
        self._file = following or current
        if self._file is None:
            return None
        mark = mark_at(self._file, 0)
        feed.hand_lines("", (), (feed.cursor(self._input, mark.text()),))
        return mark

    def _rotated(self) -> Iterator[Path]:
        """Give the files that this one may have been rotated into, the newest first; a packed one cannot be read on."""
        found = {name for pattern in self._patterns for name in glob.iglob(pattern)} - {self._input}  # noqa: PTH207 - absolute patterns
        paths = [Path(name) for name in found if not name.endswith((".gz", ".xz", ".zst", ".bz2"))]
        dated = []
        for path in paths:
            with contextlib.suppress(OSError):
                dated.append((path.lstat().st_mtime_ns, path))
        yield from (path for _, path in sorted(dated, reverse=True)[: self._limits.archive_members])

    def _read(self, feed: Feed, file: OpenFile, mark: Mark, *, last: bool) -> Mark | None:
        """Hand over whole lines up to the end; with `last` also one that has no line end. None when it must stop."""
        while True:
            if not feed.room():
                return None
            lines, end, more = self._block(feed, file, mark.offset, last=last)
            start = mark.offset
            for some in _slices(lines, self._limits.batch_alerts):
                start += sum(len(line) + 1 for line in some)
                mark = mark_at(file, min(start, end))
                kept = [line for line in some if line.strip(NOTHING) and self._keeps(line)]
                feed.hand_lines(self._path.name, kept, (feed.cursor(self._input, mark.text()),))
            if end != mark.offset:
                mark = mark_at(file, end)
                feed.hand_lines("", (), (feed.cursor(self._input, mark.text()),))
            if not more:
                return mark

    def _block(self, feed: Feed, file: OpenFile, offset: int, *, last: bool) -> tuple[list[bytes], int, bool]:
        """Give the next lines, where they end, and whether there may be more behind them."""
        size = BLOCK
        data = file.read(size, offset)
        while b"\n" not in data and len(data) == size and size <= self._limits.record_bytes:
            size *= 2
            data = file.read(size, offset)
        ended = len(data) < size
        cut = data.rfind(b"\n")
        if cut >= 0:
            self._scanned = 0
            return data[:cut].split(b"\n"), offset + cut + 1, True
        if len(data) > self._limits.record_bytes:
            return self._pass_over(feed, file, offset, last=last)
        if last and ended and data:
            return [data], offset + len(data), False
        return [], offset, False

    def _pass_over(self, feed: Feed, file: OpenFile, offset: int, *, last: bool) -> tuple[list[bytes], int, bool]:
        """Pass over a line that is too long, once its end is there."""
        at = max(self._scanned, offset)
        while data := file.read(BLOCK, at):
            cut = data.find(b"\n")
            if cut >= 0:
                return self._passed(feed, offset, at + cut + 1), at + cut + 1, True
            at += len(data)
        self._scanned = at
        return (self._passed(feed, offset, at), at, False) if last else ([], offset, False)

    def _passed(self, feed: Feed, offset: int, end: int) -> list[bytes]:
        self._scanned = 0
        what = f"{self._input}: a line of {end - offset:,} bytes at byte {offset} is longer than limits.record_bytes"
        feed.record("passed-over", self._input, what, (("byte", str(offset)), ("bytes", str(end - offset))))
        return []


def _slices(lines: list[bytes], size: int) -> Iterator[list[bytes]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


def _opened(path: Path) -> OpenFile | None:
    try:
        return open_regular(path)
    except FileNotFoundError:
        return None


def _candidate(path: Path) -> OpenFile | None:
    """Open what may be a rotated file; what cannot be opened is none."""
    try:
        return _opened(path)
    except ConnectorFailed:
        return None


def _last_end(file: OpenFile) -> int:
    """Find the end of the last whole line."""
    at = file.status.st_size
    while at > 0:
        start = max(at - BLOCK, 0)
        cut = file.read(at - start, start).rfind(b"\n")
        if cut >= 0:
            return start + cut + 1
        at = start
    return 0

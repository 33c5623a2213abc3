"""Files of measurements that grow by a line for each, so that a run that was stopped goes on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage


def read_rows(file: Path, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Read the rows of an earlier run whose `key` is wanted; what is no row, or cut short, is passed over."""
    if not file.exists():
        return {}
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{file} is no file of an earlier run: {error}", way_out="name another file") from error
    rows = (_parse(line) for line in lines)
    return {row["key"]: row for row in rows if row.get("key") in wanted}


def _parse(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


@contextmanager
def appending(file: Path | None) -> Iterator[Callable[[str], None]]:
    """Open a file of lines to add to, a last line that was cut short ended first; without a file nothing is kept."""
    if file is None:
        yield lambda _: None
        return
    try:
        cut = file.exists() and file.read_bytes()[-1:] not in (b"", b"\n")
        stream = file.open("a", encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"{file}: {error.strerror}", way_out="name a file you may write") from error
    with stream:
        if cut:
            stream.write("\n")

        def write(line: str) -> None:
            stream.write(line + "\n")
            stream.flush()

        yield write

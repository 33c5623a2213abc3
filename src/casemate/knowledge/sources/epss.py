"""EPSS scores as the daily CSV of FIRST.org: a comment with model and date, a header, one CVE a line."""

import csv
import io
import re
from collections.abc import Iterator
from typing import IO

from casemate.knowledge.kinds import EPSS_NOTICE
from casemate.knowledge.records import Edition, Note, distrust

_HEAD = re.compile(rb"^(?:\xef\xbb\xbf)?(?:#[^\n]*\n)?cve,epss")
_COMMENT = re.compile(r"model_version:([^,\s]+).*?score_date:([0-9-]+)")


def is_epss(head: bytes) -> bool:
    """Tell the file by its header, the comment before it allowed."""
    return _HEAD.match(head.replace(b"\r", b"")) is not None


def read_epss(stream: IO[bytes], name: str) -> Edition:
    """Read scores and percentiles, both 0..1."""
    lines = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    try:
        comment = lines.readline()
        found = _COMMENT.search(comment)
        version = f"{found[1]} of {found[2][:10]}" if found else "undated"
        if comment.startswith("#"):
            lines.readline()
    except UnicodeDecodeError as error:
        raise distrust(name, "line 1", "not UTF-8") from error
    return Edition("epss", "EPSS", version, 50, EPSS_NOTICE, _notes(lines, name, 2 if comment.startswith("#") else 1))


def _notes(lines: io.TextIOWrapper, name: str, skipped: int) -> Iterator[Note]:
    reader = csv.reader(lines)
    try:
        for row in reader:
            if not row:
                continue
            cve, score, percentile = row[0], float(row[1]), float(row[2]) if len(row) > 2 else -1.0
            if not (cve.startswith("CVE-") and 0 <= score <= 1 and percentile <= 1):
                raise distrust(name, f"line {reader.line_num + skipped}", "no CVE with a score from 0 to 1")
            facts = (("epss", row[1]), ("epss-percentile", row[2])) if percentile >= 0 else (("epss", row[1]),)
            yield Note(cve, facts)
    except (csv.Error, ValueError, IndexError) as error:
        raise distrust(name, f"line {reader.line_num + skipped}", f"no CVE with its score: {error}") from error

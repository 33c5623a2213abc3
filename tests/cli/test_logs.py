"""casemate logs: every line in exactly one group, whatever the format; hostile text stays text."""

import csv
import io
import json
from pathlib import Path

from .conftest import Run

LINES = [
    f"Nov 22 13:10:{n:02} web01 sshd[{n}]: Failed password for root from 192.0.2.{n} port {n} ssh2" for n in range(40)
]


def test_three_formats_tell_the_same(casemate: Run, tmp_path: Path):
    log = tmp_path / "a.log"
    log.write_text("\n".join([*LINES, "", "Nov 22 13:11:00 web01 kernel: \x1b[2Jpanic =1+1"]) + "\n", "utf-8")
    text = casemate("logs", log)
    assert text.returncode == 0
    assert b"Failed password for <*> from <*> port <*> ssh2" in text.stdout
    assert b"\x1b" not in text.stdout
    groups = [json.loads(line) for line in casemate("logs", log, "--format", "jsonl").stdout.splitlines()]
    assert [one["count"] for one in groups] == [40, 1]
    assert groups[1]["rare"]
    assert groups[1]["first"]["line"] == 42
    rows = list(csv.DictReader(io.StringIO(casemate("logs", log, "--format", "csv").stdout.decode())))
    assert list(rows[0]) == ["LineId", "EventId", "EventTemplate"]
    assert [int(row["LineId"]) for row in rows] == [*range(1, 41), 42]
    assert len({row["EventId"] for row in rows}) == 2


def test_what_cannot_be_read_is_told_and_the_rest_is_done(casemate: Run, tmp_path: Path):
    log = tmp_path / "a.log"
    log.write_text("\n".join(LINES), "utf-8")
    done = casemate("logs", log, tmp_path / "none.log", "--format", "csv")
    assert done.returncode == 3
    assert b"none.log" in done.stderr
    assert len(done.stdout.splitlines()) == 41
    assert casemate("logs", "-", stdin=b"").returncode == 0

"""Grouping of log lines, measured on the corrected Loghub samples against the groups that experts made.

Grouping accuracy (Zhu et al., ICSE-SEIP 2019) is the share of lines whose predicted group holds the same lines as their
gold group; the F1 of groups counts whole groups instead, so that rare templates weigh as much as common ones. Measured
twice: on the message alone, as the published parsers are given it, and on the raw line, as a user has it. drain3 is
measured in the same run where it is installed.
"""

import csv
import io
import sys
import tarfile
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage
from casemate.stages.extract.log_groups import LineAt, LogGroups
from casemate.stages.extract.log_heads import split_line

_TEMPLATES = 20_000
_SUFFIX = "_2k.log_structured_corrected.csv"


def measure_grouping(data: Path) -> dict[str, Any]:
    """Measure every system found under a folder, in folders or in `loghub*.tar.gz`; `WrongUsage` when there is none."""
    by_system: dict[str, dict[str, Any]] = {}
    lines, seconds = 0, 0.0
    peer = _drain3()
    for system, raw, messages, gold in _samples(data):
        started = time.process_time()
        own = _group([(split.message, split.program) for split in map(split_line, raw)])
        seconds += time.process_time() - started
        lines += len(raw)
        given = _group([(message, "") for message in messages])
        row = {"messages": accuracy(given, gold), "raw_lines": accuracy(own, gold), "f1": f1_of_groups(given, gold)}
        row |= {"groups": len(set(given)), "gold_groups": len(set(gold))}
        if peer is not None:
            row["drain3"] = accuracy(peer(messages), gold)
        by_system[system] = {
            name: round(value, 3) if isinstance(value, float) else value for name, value in sorted(row.items())
        }
    if not by_system:
        raise WrongUsage(f"{data} holds no Loghub sample", way_out=f"name a folder with loghub*.tar.gz or *{_SUFFIX}")
    names = ("messages", "raw_lines", "f1", *(("drain3",) if peer else ()))
    mean = {name: round(sum(row[name] for row in by_system.values()) / len(by_system), 3) for name in names}
    speed = round(lines / seconds) if seconds else 0
    return {"task": "logs", "metric": "grouping accuracy", "mean": mean, "lines_per_s": speed, "by_system": by_system}


def accuracy(groups: Sequence[Hashable], gold: Sequence[str]) -> float:
    """Give the share of lines whose group is exactly their gold group."""
    right = _sets(gold)
    return sum(len(one) for one in _sets(groups) if one in right) / max(len(gold), 1)


def f1_of_groups(groups: Sequence[Hashable], gold: Sequence[str]) -> float:
    """Give the F1 of whole groups."""
    ours, right = _sets(groups), _sets(gold)
    return 2 * len(ours & right) / max(len(ours) + len(right), 1)


def _sets(groups: Sequence[Hashable]) -> set[frozenset[int]]:
    lines: dict[Hashable, set[int]] = defaultdict(set)
    for number, group in enumerate(groups):
        lines[group].add(number)
    return set(map(frozenset, lines.values()))


def _group(lines: Sequence[tuple[str, str]]) -> list[int]:
    groups = LogGroups(_TEMPLATES)
    numbers = [groups.see(message, who, LineAt(line, 0, line, 0, 0)) for line, (message, who) in enumerate(lines, 1)]
    places = groups.joined()[1]
    return [places[number] for number in numbers]


def _samples(data: Path) -> Iterator[tuple[str, list[str], list[str], list[str]]]:
    """Yield system, raw lines, messages and gold ids; a sample whose files disagree in length is told and left out."""
    for system, table, log in sorted(_files(data)):
        rows = list(csv.DictReader(io.StringIO(table.decode("utf-8", "replace"), newline="")))
        raw = [line.rstrip("\r") for line in log.decode("utf-8", "replace").split("\n") if line.strip()]
        if len(rows) != len(raw):
            sys.stderr.write(f"{system}: {len(rows)} rows for {len(raw)} lines; left out\n")
            continue
        yield system, raw, [row["Content"] for row in rows], [row["EventId"] for row in rows]


def _files(data: Path) -> Iterator[tuple[str, bytes, bytes]]:
    for table in data.rglob(f"*{_SUFFIX}"):
        system = table.name.removesuffix(_SUFFIX)
        yield system, table.read_bytes(), table.with_name(f"{system}_2k.log").read_bytes()
    for archive in data.rglob("loghub*.tar.gz"):
        with tarfile.open(archive) as opened:
            for name in opened.getnames():
                if name.endswith(_SUFFIX):
                    log = name.removesuffix("_structured_corrected.csv")
                    files = (opened.extractfile(name), opened.extractfile(log))
                    parts = [file.read() for file in files if file is not None]
                    yield Path(name).name.removesuffix(_SUFFIX), parts[0], parts[1]


def _drain3() -> Callable[[Sequence[str]], list[int]] | None:
    """Give drain3 with its default settings, None where it is not installed."""
    try:
        from drain3 import TemplateMiner
        from drain3.template_miner_config import TemplateMinerConfig
    except ImportError:
        return None

    def group(messages: Sequence[str]) -> list[int]:
        miner = TemplateMiner(config=TemplateMinerConfig())
        for message in messages:
            miner.add_log_message(message)
        found = [miner.match(message) for message in messages]
        return [one.cluster_id if one is not None else -1 for one in found]

    return group

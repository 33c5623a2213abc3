"""Time and memory of whole commands, each in a process of its own on one core, as a user would start it."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one command: wall-clock and processor seconds, the most resident memory in MB, the exit code."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    exit_code: int


def measure_command(arguments: Sequence[str], *, cores: int = 1) -> Measured:
    """Run `casemate ARGUMENTS` once on so many cores, its output thrown away, and measure it from outside."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    started = time.perf_counter()
    with Path(os.devnull).open("wb") as nothing:
        process = subprocess.Popen(  # noqa: S603 - our own program with arguments made here, no shell
            [sys.executable, "-m", "casemate", *arguments],
            stdout=nothing,
            stderr=nothing,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),  # noqa: PLW1509 - no threads run here
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB, process.returncode)


def measure_commands(data: Path, examples: Path, runs: int = 3, big_mb: int = 2_000) -> dict[str, Any]:
    """Measure the commands that the README makes promises about; medians of `runs`, the big file once.

    `data` holds `logs/loghub_2k_corrected.tar.gz` and `logs/ait_ads/aecid_raw_alerts_gpl3.tar.gz` or has none of it;
    what cannot be measured is left out and named under `missing`. `examples` is the folder of examples.
    """
    if not examples.is_dir():
        raise WrongUsage(f"{examples} is no folder", way_out="name the folder of examples: --examples PATH")
    results: dict[str, Any] = {"cores": 1, "runs": runs, "missing": []}
    evidence = [str(path) for path in sorted(examples.iterdir()) if path.is_file() and path.suffix != ".md"]
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as scratch:
        folder = Path(scratch)
        results["help"] = _median(lambda: measure_command(["--help"]), runs)
        _measure_logs(data, folder, runs, big_mb, results)
        alerts = _alerts(data, folder)
        if alerts is None:
            results["missing"].append("aecid_raw_alerts_gpl3.tar.gz")
        else:
            command = ["triage", str(alerts), "--model", "none", "--store", "none"]
            results["triage_1mb_alerts_cold"] = _median(lambda: measure_command(command), runs)
        command = ["triage", *evidence, "--store", "none"]
        results["triage_examples_with_model"] = _median(lambda: measure_command(command, cores=2), runs)
        results["triage_examples_without_model"] = _median(
            lambda: measure_command([*command, "--model", "none"], cores=2), runs
        )
    return results


def _measure_logs(data: Path, folder: Path, runs: int, big_mb: int, results: dict[str, Any]) -> None:
    lines = _loghub(data)
    if not lines:
        results["missing"].append("loghub_2k_corrected.tar.gz")
        return
    log = folder / "loghub.log"
    _repeat(lines, 100 * MB, log)
    out = ["--output", str(folder / "out.jsonl")]
    extract = _median(lambda: measure_command(["extract", str(log), *out]), runs)
    extract["mb_per_s"] = round(log.stat().st_size / MB / extract["wall_seconds"], 1)
    results["extract_100mb_loghub"] = extract
    if big_mb:
        _repeat(lines, big_mb * MB, log)
        big = _median(lambda: measure_command(["extract", str(log), "--output", os.devnull]), 1)
        results["extract_big_log"] = {"mb": big_mb, **big}


def _median(measure: Callable[[], Measured], runs: int) -> dict[str, Any]:
    done = sorted((measure() for _ in range(runs)), key=lambda one: one.wall_seconds)
    middle = done[len(done) // 2]
    return {
        "wall_seconds": round(middle.wall_seconds, 3),
        "cpu_seconds": round(middle.cpu_seconds, 3),
        "peak_mb": round(max(one.peak_mb for one in done), 1),
        "exit_code": max(one.exit_code for one in done),
    }


def _loghub(data: Path) -> bytes:
    archive = data / "logs" / "loghub_2k_corrected.tar.gz"
    if not archive.is_file():
        return b""
    with tarfile.open(archive) as tar:
        members = sorted((member for member in tar if member.name.endswith(".log")), key=lambda member: member.name)
        parts = [stream.read() for member in members if (stream := tar.extractfile(member)) is not None]
    return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts)


def _repeat(lines: bytes, size: int, target: Path) -> None:
    with target.open("wb") as out:
        written = 0
        while written < size:
            written += out.write(lines)


def _alerts(data: Path, folder: Path) -> Path | None:
    archive = data / "logs" / "ait_ads" / "aecid_raw_alerts_gpl3.tar.gz"
    if not archive.is_file():
        return None
    rows: list[bytes] = []
    with tarfile.open(archive) as tar:
        for member in sorted((one for one in tar if one.isfile()), key=lambda one: one.name):
            stream = tar.extractfile(member)
            if stream is not None:
                rows += [line for line in stream.read().splitlines() if _is_object(line)]
    if not rows:
        return None
    target = folder / "alerts.json"
    with target.open("wb") as out:
        written = 0
        for row in cycle(rows):
            if written >= MB:
                break
            written += out.write(row + b"\n")
    return target


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False

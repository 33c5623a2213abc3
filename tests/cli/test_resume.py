"""kill -9 in the middle of a triage, then the same command: it goes on, nothing is lost, the chain verifies."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

FILES = 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_triage_goes_on_where_it_stopped(casemate, prepared_home: Path, tmp_path: Path, seed: int):
    folder = tmp_path / "evidence"
    folder.mkdir()
    for number in range(FILES):
        address = f"198.51.100.{number}"
        line = f"Nov 22 13:08:{number % 60:02} web01 sshd[1]: Failed password for root from {address} port 1 ssh2\n"
        (folder / f"{number:03}.log").write_text(line * 2000, "utf-8")
    command = [sys.executable, "-m", "casemate", "triage", str(folder), "--model", "none", "--format", "json"]
    environment = {**os.environ, "CASEMATE_HOME": str(prepared_home)}
    store = prepared_home / "casemate.sqlite"

    kills = 0
    chance = random.Random(seed)
    for _ in range(4):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not store.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.2, 1.5))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills, "the triage was over before it could be killed once"

    done = casemate("triage", folder, "--model", "none", "--format", "json")
    assert done.returncode == 0, done.stderr
    case = json.loads(done.stdout)
    assert len(case["evidence"]) == FILES
    assert casemate("audit", "verify").returncode == 0
    events = [json.loads(line) for line in casemate("audit", "export").stdout.splitlines()]
    read = [event["subject"] for event in events if event.get("action") == "evidence.read"]
    assert len(read) == len(set(read)) == FILES

"""The command line as a user runs it: its own process, its own data folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def casemate(prepared_home: Path) -> Run:
    """Give a function that runs `casemate` and returns the finished process, output in bytes."""

    def run(*arguments: object, stdin: bytes = b"", **environment: str) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-m", "casemate", *map(str, arguments)]
        outer = {name: value for name, value in os.environ.items() if name != "CASEMATE_PROGRESS"}
        full = {**outer, "CASEMATE_HOME": str(prepared_home), "NO_COLOR": "1", **environment}
        return subprocess.run(command, input=stdin, env=full, capture_output=True, timeout=280, check=False)

    return run

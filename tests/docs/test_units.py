"""Units of systemd that the docs show are units: systemd itself reads them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .test_docs import blocks

COMMAND = re.compile(r"(?<=ExecStart=)(\S+)")


@pytest.mark.parametrize("block", blocks("ini"))
def test_a_unit_is_one(block: str, tmp_path: Path):
    kind = "service" if "[Service]" in block else "timer" if "[Timer]" in block else ""
    if not kind:
        pytest.skip("no unit")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / f"shown.{kind}"
    (tmp_path / "shown.service").write_text("[Service]\nExecStart=/bin/true\n", "utf-8")  # what a timer starts
    unit.write_text(COMMAND.sub("/bin/true", block), "utf-8")  # casemate is not where the unit says
    done = subprocess.run(
        ["systemd-analyze", "verify", unit],
        env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""

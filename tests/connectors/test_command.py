"""`casemate connect` as it is typed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from casemate.cli.main import main
from casemate.store import Store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CASEMATE_HOME", str(tmp_path))
    monkeypatch.delenv("CASEMATE_CONNECTORS", raising=False)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "connectors.toml").write_text(
        '[in.drop]\nkind = "folder"\npath = "inbox"\nsettle = 0.01\nevery = 0.05\n'
    )
    return tmp_path


def waiting(home: Path) -> int:
    with Store.open(f"sqlite:///{home}/casemate.sqlite") as store:
        return store.queue().waiting()


def test_check_says_what_is_read_and_makes_no_store(home: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["connect", "check"]) == 0
    assert capsys.readouterr().out == f"drop: takes files of the folder {home}/inbox as TLP:AMBER\n"
    assert not (home / "casemate.sqlite").exists()


def test_once_takes_what_is_there(home: Path):
    (home / "inbox" / "a.log").write_text("text\n")
    assert main(["connect", "once", "drop"]) == 0
    assert waiting(home) == 1


def test_a_failure_has_its_exit_code(home: Path, capsys: pytest.CaptureFixture[str]):
    (home / "inbox").rmdir()
    assert main(["connect", "once"]) == 3
    told = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (told["connector"], told["is"]) == ("drop", "failed")


def test_an_unknown_name_is_wrong_usage(home: Path):
    assert main(["connect", "once", "drops"]) == 2
    (home / "connectors.toml").write_text("")
    assert main(["connect", "once"]) == 2


def test_run_goes_on_until_it_is_told_to_stop(home: Path):
    environment = dict(os.environ, CASEMATE_HOME=str(home))
    process = subprocess.Popen([sys.executable, "-m", "casemate", "connect", "run"], env=environment)
    try:
        for number in range(2):
            (home / "inbox" / f"{number}.log").write_text(f"text {number}\n")
            deadline = time.monotonic() + 60
            while waiting(home) <= number:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0

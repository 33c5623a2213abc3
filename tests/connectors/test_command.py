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
from casemate.core.marking import Marking
from casemate.policy import Limits
from casemate.store import Store

from .conftest import Taken
from .pushed import put


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


def test_without_connectors_it_says_where_to_write_them(home: Path, capsys: pytest.CaptureFixture[str]):
    (home / "connectors.toml").unlink()
    assert main(["connect", "check"]) == 0
    assert capsys.readouterr().out.startswith(f"no connectors yet: write {home}/connectors.toml")
    for words in (["run"], ["once"], ["check", "drop"], ["check", "--connectors", str(home / "gone.toml")]):
        assert main(["connect", *words]) == 2
        told = capsys.readouterr().err
        assert "no connectors yet" in told
        assert "docs/connectors.md" in told


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


def test_a_host_that_is_not_allowed_stops_everything_before_it_begins(home: Path, capsys: pytest.CaptureFixture[str]):
    (home / "connectors.toml").write_text(
        '[in.drop]\nkind = "folder"\npath = "inbox"\n'
        '[out.index]\nkind = "elastic"\nserver = { url = "https://192.0.2.1:9200" }\n'
    )
    (home / "inbox" / "a.log").write_text("text\n")
    for action in (["check"], ["once"], ["run"], ["push", "index", "C-1"]):
        assert main(["connect", *action]) == 5
        assert "connector_hosts" in capsys.readouterr().err
    assert waiting(home) == 0


def test_check_counts_what_would_be_given_and_sends_nothing(home: Path, capsys: pytest.CaptureFixture[str]):
    (home / "connectors.toml").write_text('[out.index]\nkind = "elastic"\nserver = { url = "http://127.0.0.1:1" }\n')
    with Store.open(f"sqlite:///{home}/casemate.sqlite") as store:
        put(store, "C-1")
        put(store, "C-2", Marking.RED)
    assert main(["connect", "check"]) == 0
    said = "index: gives closed cases up to TLP:GREEN to http://127.0.0.1:1; 1 to give\n"
    assert capsys.readouterr().out == said
    assert main(["connect", "push", "index", "C-2"]) == 5


@pytest.mark.slow
def test_killed_again_and_again_it_takes_every_line_once(home: Path):
    lines = [json.dumps({"event_type": "alert", "n": number}).encode() for number in range(6_000)]
    (home / "eve.json").write_bytes(b"\n".join(lines) + b"\n")
    (home / "connectors.toml").write_text('[in.ids]\nkind = "suricata"\npath = "eve.json"\nevery = 0.05\n')
    environment = dict(os.environ, CASEMATE_HOME=str(home))
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-m", "casemate", "connect", "run"], env=environment)
        before = place(home)
        deadline = time.monotonic() + 60
        while place(home) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.wait(60)
        (home / "eve.json").rename(home / f"eve.json.{time.monotonic_ns()}")
        more = [json.dumps({"event_type": "alert", "n": len(lines) + number}).encode() for number in range(100)]
        (home / "eve.json").write_bytes(b"\n".join(more) + b"\n")
        lines += more
    assert main(["connect", "once"]) == 0
    with Store.open(f"sqlite:///{home}/casemate.sqlite", limits=Limits(group_alerts=100_000)) as store:
        found = [data for _source, data in Taken(store).alerts()]
        assert store.verify_audit() == ()
    assert sorted(found) == sorted(lines)


def place(home: Path) -> dict[str, str]:
    if not (home / "casemate.sqlite").exists():
        return {}
    with Store.open(f"sqlite:///{home}/casemate.sqlite") as store:
        return store.cursors().of("ids")


@pytest.mark.slow
def test_a_service_connects_too(home: Path):
    environment = dict(os.environ, CASEMATE_HOME=str(home))
    command = [sys.executable, "-m", "casemate", "serve", "--port", "0", "--workers", "0", "--connect"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        (home / "inbox" / "a.log").write_text("text\n")
        deadline = time.monotonic() + 120
        while not (home / "casemate.sqlite").exists() or waiting(home) == 0:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) in {0, -signal.SIGTERM}  # the server passes the signal on when it is done
    (home / "connectors.toml").write_text("nonsense")
    assert main(["serve", "--port", "0", "--connect"]) == 2

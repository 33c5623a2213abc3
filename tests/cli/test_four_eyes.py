"""Four eyes at the command line: the second person has an account, and is not the one who decided."""

from pathlib import Path

import pytest

from casemate.audit import NewAuditEvent
from casemate.cli.home import actor
from casemate.cli.main import main
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import Store
from tests.store.samples import case

POLICY = '[review]\nfour_eyes_markings = ["amber+strict"]\n'


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    url = f"sqlite:///{tmp_path}/casemate.sqlite"
    with Store.open(url) as store:
        store.save_case(case(), NewAuditEvent("casemate", "case.proposed", "c1"))
        for name, role, clearance in (
            ("ada", Role.ANALYST, Marking.RED),
            ("bob", Role.REVIEWER, Marking.RED),
            ("low", Role.REVIEWER, Marking.GREEN),
            ("rae", Role.READER, Marking.RED),
        ):
            store.people().add("test", name, role, clearance, None)
    return ["--store", url, "--policy", str(policy)]


def review(told: list[str], *options: str) -> int:
    return main(["case", "review", "c1", *told, *options])


def test_one_operating_system_account_is_one_pair_of_eyes(
    told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("LOGNAME", "desk-one")
    assert actor() == "desk-one"
    assert review(told, "--reviewer", "ada", "--disposition", "false-positive") == 0
    assert "awaiting-second" in capsys.readouterr().out
    assert review(told, "--reviewer", "bob", "--role", "reviewer", "--confirm") == 5
    assert "their own second person" in capsys.readouterr().err
    monkeypatch.setenv("LOGNAME", "desk-two")
    assert review(told, "--reviewer", "ADA", "--confirm") == 5
    assert review(told, "--reviewer", "nobody", "--role", "reviewer", "--confirm") == 5
    assert "has no account here" in capsys.readouterr().err
    assert review(told, "--reviewer", "bob", "--role", "admin", "--confirm") == 5
    assert "has the role reviewer here" in capsys.readouterr().err
    assert review(told, "--reviewer", "low", "--role", "reviewer", "--confirm") == 2
    assert "there is no case c1" in capsys.readouterr().err
    assert review(told, "--reviewer", "bob", "--role", "reviewer", "--confirm") == 0
    assert "c1 is now closed: false-positive, by bob" in capsys.readouterr().out


def test_who_is_disabled_or_only_reads_decides_nothing(told: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["user", "change", "ada", "--disable", "--store", told[1]]) == 0
    assert review(told, "--reviewer", "ada", "--reason", "x") == 5
    assert review(told, "--reviewer", "rae", "--role", "reader", "--reason", "x") == 5
    assert "may not review" in capsys.readouterr().err
    assert review(told, "--reviewer", "bob", "--role", "reviewer", "--confirm") == 5
    assert "awaits no second person" in capsys.readouterr().err

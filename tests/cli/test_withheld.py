"""What the pages withhold until somebody has decided, no command tells either."""

from dataclasses import replace
from pathlib import Path

import pytest

from casemate.audit import NewAuditEvent
from casemate.cli.main import main
from casemate.connectors.agent_tools import CaseSimilarArguments, Desk, case_similar
from casemate.core.alert import Alert, Delivery
from casemate.core.feature import Feature
from casemate.core.marking import Marking
from casemate.policy import Baseline, Limits
from casemate.stages.extract.scanner import Scanner
from casemate.store import Store, owner_name
from tests.store.samples import NOW, case

SHARED = Feature("technique", "T1110")
SECRET = "Brute force by the drawn case"


@pytest.fixture
def url(tmp_path: Path, prepared_home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Keep a withheld case and one that is shown and shares a technique with it."""
    url = f"sqlite:///{tmp_path}/casemate.sqlite"
    with Store.open(url, now=lambda: NOW) as store:
        event = NewAuditEvent("casemate", "case.proposed", "")
        store.save_case(replace(case("C-shown"), related=()), event, (SHARED,))
        alert = Alert(b"{}", "rule of the sender", "web01", "x", "json", 3, NOW)
        store.queue().receive([Delivery("sensor", Marking.GREEN, "wazuh", True, (alert,))])
        taken = store.queue().take(owner_name("test"))
        assert taken is not None
        drawn = replace(case("C-drawn", SECRET), related=())
        store.save_case(drawn, event, (SHARED,), lease=taken[1], baseline=Baseline(share=1.0, spare_priority=1))
        store.put_blob(b"evidence")
        assert store.cleared(Marking.RED).withheld("C-drawn")
    monkeypatch.setenv("CASEMATE_HOME", str(prepared_home))
    return url


ACTIONS = (
    ["similar"],
    ["summary", "--model", "none"],
    ["brief", "--model", "none"],
    ["ask", "Which techniques are there?", "--model", "none"],
    ["compare", "--model", "none"],
    ["relations", "--model", "none"],
)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action[0])
def test_a_withheld_case_is_not_told_by_another_command(
    url: str, action: list[str], capsys: pytest.CaptureFixture[str]
):
    name, *options = action
    assert main(["case", name, "C-drawn", *options, "--store", url]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert "without proposals until a person has decided" in told.err
    with Store.open(url) as store:
        assert not store.drafts("C-drawn")
    assert (
        main(["case", "review", "C-drawn", "--reviewer", "ada", "--disposition", "undetermined", "--store", url]) == 0
    )
    assert main(["case", name, "C-drawn", *options, "--store", url]) == 0, "it is told once somebody has decided"


@pytest.mark.parametrize("action", [["similar"], ["compare", "--model", "none"]], ids=lambda action: action[0])
def test_a_withheld_case_is_no_case_beside_another(url: str, action: list[str], capsys: pytest.CaptureFixture[str]):
    name, *options = action
    assert main(["case", name, "C-shown", *options, "--store", url]) == 0
    told = capsys.readouterr()
    assert "C-drawn" not in told.out + told.err
    assert SECRET not in told.out + told.err


def test_a_withheld_case_is_not_compared_when_it_is_named(url: str, capsys: pytest.CaptureFixture[str]):
    assert main(["case", "compare", "C-shown", "--with", "C-drawn", "--model", "none", "--store", url]) == 2
    assert SECRET not in capsys.readouterr().out


def test_an_agent_is_told_neither(url: str):
    with Store.open(url) as store:
        scanner = Scanner()
        desk = Desk(
            Limits(), lambda: scanner, {}, lambda _q, _o: {}, lambda: store.cleared(Marking.RED), lambda _case: None
        )
        for name in ("C-drawn", "C-shown"):
            assert case_similar(desk, CaseSimilarArguments(name))["related"] == []

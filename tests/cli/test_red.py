"""Who reads a case marked red at the command line is told to the audit chain, before anything is shown."""

from dataclasses import replace
from pathlib import Path

import pytest

from casemate.audit import NewAuditEvent
from casemate.cli.main import main
from casemate.core.marking import Marking
from casemate.store import Store
from tests.store.samples import EVIDENCE, case


@pytest.mark.parametrize("marking", [Marking.RED, Marking.AMBER])
@pytest.mark.parametrize(
    "action",
    [
        ["show", "c1"],
        ["similar", "c1"],
        ["export", "c1", "--format", "csv"],
        ["evidence", "c1", EVIDENCE, "--output", "OUT"],
        ["summary", "c1", "--model", "none"],
        ["relations", "c1", "--model", "none"],
    ],
    ids=lambda action: action[0],
)
def test_reading_red_is_told(
    action: list[str], marking: Marking, tmp_path: Path, prepared_home: Path, monkeypatch: pytest.MonkeyPatch
):
    url = f"sqlite:///{tmp_path}/casemate.sqlite"
    made = replace(case(), marking=marking)
    with Store.open(url) as store:
        store.save_case(made, NewAuditEvent("casemate", "case.proposed", "c1"))
        store.put_blob(b"evidence")
    monkeypatch.setenv("LOGNAME", "reader")
    monkeypatch.setenv("CASEMATE_HOME", str(prepared_home))
    options = [str(tmp_path / "out") if word == "OUT" else word for word in action]
    assert main(["case", *options, "--store", url]) == 0
    with Store.open(url) as store:
        told = [event.actor for event in store.history("c1") if event.action == "evidence.viewed"]
    assert told == (["reader"] if marking is Marking.RED else [])

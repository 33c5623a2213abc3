"""What a script or a SOC tool builds on: output, exit codes, and that nothing hostile reaches a terminal."""

import json
import os
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
AUTH = EXAMPLES / "auth.log"


def test_help_names_every_command_and_every_exit_code(casemate):
    done = casemate("--help")
    text = done.stdout.decode()
    assert done.returncode == 0
    for word in ("triage", "extract", "case", "model", "knowledge", "audit", "bench", "doctor", "70"):
        assert word in text


@pytest.mark.parametrize("arguments", [["nonsense"], ["triage"], ["triage", "x", "--format", "docx"], ["case", "fly"]])
def test_wrong_usage_is_2(casemate, arguments):
    done = casemate(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"casemate" in done.stderr


def test_extract_writes_the_contracts_lines_and_spans_select_the_raw_form(casemate):
    done = casemate("extract", AUTH)
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    text = AUTH.read_text("utf-8")
    lines = text.splitlines()
    assert any(row["value"] == "198.51.100.23" for row in rows)
    for row in rows:
        assert {"type", "value", "raw", "source", "start", "end", "line"} <= set(row)
        assert text[row["start"] : row["end"]] == row["raw"]
        assert row["raw"] in lines[row["line"] - 1]


def test_extract_reads_standard_input_and_many_formats(casemate):
    done = casemate("extract", "-", "--format", "csv", stdin=b"see hxxp://bad[.]example-evil[.]com/x\n")
    assert done.returncode == 0
    assert b"http://bad.example-evil.com/x" in done.stdout
    bundle = json.loads(casemate("extract", "-", "--format", "stix", stdin=b"8.8.8.8 and evil-site.com\n").stdout)
    assert {"ipv4-addr", "domain-name"} <= {one["type"] for one in bundle["objects"]}


def test_extract_with_payloads_names_the_layers(casemate):
    done = casemate("extract", "--payloads", EXAMPLES / "cron-update.sh")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert any("layers" in row and row["value"].startswith("http://203.0.113.77/") for row in rows)


def test_a_case_is_triaged_reviewed_exported_and_audited(casemate, tmp_path):
    done = casemate("triage", AUTH, "--model", "none", "--format", "json", "--marking", "green")
    assert done.returncode == 0, done.stderr
    case = json.loads(done.stdout)
    assert case["reviewed"] is False
    assert case["marking"] == "green"
    name = case["id"]
    assert name.encode() in casemate("case", "list").stdout

    refused = casemate("case", "review", name, "--reviewer", "Ada Example", "--role", "reader",
                       "--disposition", "true-positive")  # fmt: skip
    assert refused.returncode == 5
    unknown = casemate("case", "review", name, "--reviewer", "Ada Example", "--accept", "F999")
    assert unknown.returncode == 2
    decided = casemate("case", "review", name, "--reviewer", "Ada Example", "--accept", "F1",
                       "--disposition", "true-positive", "--reason", "seen in the VPN log too")  # fmt: skip
    assert decided.returncode == 0, decided.stderr

    report = tmp_path / "report.html"
    assert casemate("case", "export", name, "--format", "html", "--output", report).returncode == 0
    assert "Ada Example" in report.read_text("utf-8")
    for kind in ("stix", "misp", "navigator"):
        assert json.loads(casemate("case", "export", name, "--format", kind).stdout)
    assert b"198.51.100.23" in casemate("case", "export", name, "--format", "csv").stdout
    original = tmp_path / "original"
    assert casemate("case", "evidence", name, case["evidence"][0]["id"][:12], "--output", original).returncode == 0
    assert original.read_bytes() == AUTH.read_bytes()
    assert casemate("case", "evidence", name, "0" * 64, "--output", original).returncode == 2
    verified = casemate("audit", "verify")
    assert verified.returncode == 0
    assert b"verifies" in verified.stdout

    again = casemate("triage", AUTH, "--model", "none", "--format", "json", "--marking", "green")
    assert json.loads(again.stdout)["disposition"] == case["disposition"]
    assert json.loads(again.stdout)["reviewed"] is True


def test_an_unknown_case_is_wrong_usage(casemate):
    assert casemate("case", "show", "C-nothing").returncode == 2


def test_a_missing_model_and_a_missing_knowledge_are_4(casemate, tmp_path):
    assert casemate("triage", AUTH, "--model", "no-such-model").returncode == 4
    done = casemate("triage", AUTH, "--model", "none", CASEMATE_HOME=str(tmp_path / "empty"))
    assert done.returncode == 4
    assert b"knowledge build" in done.stderr


def test_a_server_outside_the_policy_is_refused(casemate):
    done = casemate("triage", AUTH, "--model", "server:http://192.0.2.1:8000/v1#some-model")
    assert done.returncode == 5


def test_progress_goes_to_standard_error_and_names_every_step(casemate, tmp_path):
    script = tmp_path / "answers.json"
    script.write_text('["{}"]', "utf-8")
    options = ("--model", f"scripted:{script}", "--store", "none", "--format", "json")
    done = casemate("triage", AUTH, *options, CASEMATE_PROGRESS="1")
    assert done.returncode == 0
    told = done.stderr.decode()
    for step in ("receiving 1", "reading 1 of 1", "looking up", "asking scripted:answers.json"):
        assert step in told
    assert json.loads(done.stdout)["run"]["model_name"] == "scripted:answers.json"
    assert casemate("triage", AUTH, *options).stderr == b""


def test_no_store_keeps_nothing(casemate, prepared_home):
    done = casemate("triage", AUTH, "--model", "none", "--store", "none")
    assert done.returncode == 0
    assert not (prepared_home / "casemate.sqlite").exists()


def test_escapes_in_evidence_and_in_names_never_reach_the_terminal_raw(casemate, tmp_path):
    file = tmp_path / "evil\x1b]0;owned\x07.log"
    file.write_text("\x1b[2Jcall http://evil-site.com/\x1b[31mred now \u202egpj.exe T1059\n", "utf-8")
    shown = casemate("triage", file, tmp_path / "none\x1b[2J.log", "--model", "none", "--store", "none")
    assert shown.returncode == 3
    for stream in (shown.stdout, shown.stderr):
        text = stream.decode()
        assert not [char for char in text if not char.isprintable() and char != "\n"]


@pytest.mark.parametrize("form", ["jsonl", "csv", "stix"])
def test_extract_writes_no_control_character_of_the_evidence(casemate, tmp_path, form):
    file = tmp_path / "evil\u009b2J\u202e.log"
    file.write_text("open C:\\Users\\\u202egpj.exe and http://evil-site.com/a\u009b31m T1059\n", "utf-8")
    done = casemate("extract", file, "--format", form)
    assert done.returncode == 0
    assert b"evil-site.com" in done.stdout
    assert not [char for char in done.stdout.decode() if not char.isprintable() and char not in "\r\n"]


def test_markup_in_evidence_is_text_in_the_report(casemate, tmp_path):
    file = tmp_path / "x.log"
    file.write_text("<script>alert(1)</script><img src=x onerror=alert(2)> http://evil-site.com/<b>T1059\n", "utf-8")
    done = casemate("triage", file, "--model", "none", "--store", "none", "--format", "html")
    page = done.stdout.decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script" in page


def test_doctor_says_that_nothing_leaves(casemate):
    done = casemate("doctor")
    assert done.returncode == 0, done.stdout
    assert b"what would leave this machine: nothing" in done.stdout


def test_a_file_of_checkpoints_that_cannot_be_written_stops_no_command_and_is_told(casemate, prepared_home, tmp_path):
    (tmp_path / "a.log").write_text("Failed password for root from 203.0.113.9\n")
    file = prepared_home / "audit" / "checkpoints.jsonl"
    assert casemate("triage", tmp_path / "a.log", "--model", "none").returncode == 0
    (tmp_path / "a.log").write_text("Failed password for root from 203.0.113.10\n")
    file.unlink()
    file.mkdir()
    done = casemate("triage", tmp_path / "a.log", "--model", "none")
    assert done.returncode == 0
    assert b"checkpoints.jsonl" in done.stderr
    assert b"is saved" in done.stderr
    assert b"checkpoints.jsonl" in casemate("doctor").stdout
    file.rmdir()
    assert casemate("audit", "verify").returncode == 0
    assert b"checkpoints" not in casemate("doctor").stdout


def test_doctor_names_what_connectors_and_a_database_elsewhere_would_be_given(casemate, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('connector_hosts = ["127.0.0.1", "misp.example"]\n', "utf-8")
    url = "postgresql://ada:s3cret@127.0.0.9:1/cases"
    done = casemate("doctor", "--store", url, "--policy", policy)
    told = [line for line in done.stdout.decode().splitlines() if line.startswith("what would leave")]
    assert [line.rpartition(" to ")[2].partition(",")[0] for line in told] == [
        "misp.example",
        "the database on 127.0.0.9",
    ]
    assert b"s3cret" not in done.stdout + done.stderr


def test_doctor_names_a_host_the_policy_allows(casemate, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('engine_hosts = ["llm.corp.example"]\n', "utf-8")
    done = casemate("doctor", "--policy", policy)
    assert b"prompts, to llm.corp.example" in done.stdout


def test_a_closed_pipe_is_no_fault(casemate, tmp_path):
    big = tmp_path / "big.log"
    big.write_text("call http://evil-site.com/a\n" * 200_000, "utf-8")
    done = casemate("extract", big, "--output", "/dev/full")
    assert done.returncode == 2
    assert b"space" in done.stderr
    assert os.system(f"{os.sys.executable} -m casemate extract {big} | head -1 >/dev/null") == 0


def test_an_altered_audit_chain_is_found_and_placed(casemate, prepared_home):
    import sqlite3

    assert casemate("triage", AUTH, "--model", "none").returncode == 0
    with sqlite3.connect(prepared_home / "casemate.sqlite") as database:
        changed = database.execute("update audit set line = replace(line, 'case.begun', 'case.ended')")
        assert changed.rowcount >= 1
    done = casemate("audit", "verify")
    assert done.returncode == 4
    assert b"event 1" in done.stdout

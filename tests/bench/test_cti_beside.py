"""A model beside the specialist, the cascade of both, and what the command prints."""

import json
from pathlib import Path

import pytest

from casemate.bench.calibration import calibration_error, coverage_curve, figures_by_class, reliability
from casemate.bench.cti_beside import measure_beside, read_verdicts, tell_classes
from casemate.bench.cti_model import Protocol
from casemate.cli.main import main
from casemate.stages.generate.scripted import Scripted

ROWS = [
    # text, truth, specialist, probability, abstained
    ("a", "CWE-79", "CWE-79", 0.9, False),
    ("b", "CWE-89", "CWE-20", 0.8, False),
    ("c", "CWE-22", "CWE-20", 0.4, False),
    ("d", "CWE-78", "CWE-78", 0.95, True),
]


@pytest.fixture
def measured(tmp_path: Path) -> tuple[Path, Path]:
    table, items = tmp_path / "t.tsv", tmp_path / "items.jsonl"
    lines = [f"https://x/{text}\t{text}\tp{text}\t{truth}" for text, truth, *_ in ROWS]
    table.write_text("\n".join(["URL\tDescription\tPrompt\tGT", *lines]) + "\n", "utf-8")
    rows = [
        {"number": n, "truth": truth, "answer": own, "probability": chance, "abstained": abstained}
        for n, (_, truth, own, chance, abstained) in enumerate(ROWS)
    ]
    items.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return table, items


def test_the_cascade_asks_the_model_where_the_specialist_is_unsure(measured: tuple[Path, Path], tmp_path: Path):
    table, items = measured
    model = Scripted(["CWE-79", "CWE-89", "CWE-22", "no idea"])
    report = measure_beside("cti-rcm", table, model, Protocol(trials=1), items, tmp_path / "r.jsonl", cut=0.7)
    both = report["together"]["last_line"]
    assert report["model"]["last_line"]["score"] == 0.75
    assert (both["agreement"], both["disagreement"], both["unparsable"]) == (0.25, 0.5, 0.25)
    assert both["score_when_agreed"] == {"n": 1, "score": 1.0}
    assert both["specialist_when_disagreed"] == {"n": 2, "score": 0.0}
    assert both["model_when_disagreed"] == {"n": 2, "score": 1.0}
    cascade = both["cascade"]
    assert (cascade["asked"], cascade["score"]) == (0.5, 0.75)
    assert cascade["specialist_above_cut"] == {"n": 2, "score": 0.5}
    assert cascade["model_below_cut"] == {"n": 2, "score": 0.5}
    by_cut = {row["cut"]: row["score"] for row in both["cuts"]}
    assert by_cut[0.9] == by_cut[1.01] == 1.0
    assert by_cut[0.0] == 0.5


def test_only_the_unsure_are_asked_when_that_is_wanted(measured: tuple[Path, Path], tmp_path: Path):
    table, items = measured
    model = Scripted(["CWE-22", "CWE-1"])
    file = tmp_path / "r.jsonl"
    report = measure_beside("cti-rcm", table, model, Protocol(trials=1), items, file, only_unsure=True)
    assert [request.prompt for request in model.asked] == ["pc", "pd"]
    assert report["model"]["n"] == 2
    assert report["together"]["last_line"]["cascade"]["score"] == 0.5
    assert "cuts" not in report["together"]["last_line"]


def test_verdicts_of_a_task_are_in_the_form_of_the_truth(tmp_path: Path):
    items = tmp_path / "items.jsonl"
    items.write_text(json.dumps({"number": 3, "answer": ["T1486", "T1059"], "probability": 0.5, "truth": ["T1059"]}))
    assert read_verdicts("cti-ate", items)[3].answer == "T1059, T1486"
    assert tell_classes("cti-ate", items)["T1059"] == {"n": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_calibration_is_told_by_bins():
    pairs = [(0.95, True), (0.95, True), (0.15, True), (0.15, False)]
    assert calibration_error(pairs) == pytest.approx((0.1 + 0.7) / 4)
    assert reliability(pairs) == [
        {"from": 0.1, "to": 0.2, "n": 2, "probability": 0.15, "accuracy": 0.5},
        {"from": 0.9, "to": 1.0, "n": 2, "probability": 0.95, "accuracy": 1.0},
    ]
    rows = [{"p": chance, "right": right} for chance, right in pairs]
    curve = coverage_curve(rows, "p", lambda some: sum(row["right"] for row in some) / len(some))
    assert curve == {"25": 1.0, "50": 1.0, "75": 1.0, "100": 0.75}
    assert list(figures_by_class([(["x"], ["y"]), (["y"], ["y"])])) == ["y", "x"]


def test_the_command_shows_both_with_every_table(
    measured: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    table, _ = measured
    script = tmp_path / "script.json"
    script.write_text(json.dumps(["CWE-79"] * 8))
    monkeypatch.chdir(tmp_path)
    command = ["bench", "cti-rcm", "--data", str(table), "--model", f"scripted:{script}", "--trials", "2"]
    assert main([*command, "--limit", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["n"], report["model"]["n"], len(report["model"]["last_line"]["trials"])) == (2, 2, 2)
    assert {"coverage", "reliability", "calibration_error", "top5"} <= set(report)
    assert main([*command, "--by-class"]) == 0
    shown = capsys.readouterr().out
    assert all(title in shown for title in ("coverage", "reliability", "by class", "the model alone", "cascade"))
    assert main([*command, "--trials", "0"]) == 2

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from casemate.cli.main import main
from casemate.stages.classify.weights import FOLDER

TEXT = (
    "SQL injection vulnerability in login.php in Foo CMS 1.2 allows remote attackers to execute arbitrary SQL "
    "commands via the id parameter."
)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "in.jsonl"
    rows = [{"id": "a", "text": TEXT}, {"id": "b", "text": ""}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_weaknesses_come_as_lines_of_json(lines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "cwe", "--input", str(lines)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["id"] == "a"
    assert first["cwe"][0]["id"] == "CWE-89"
    assert 0.5 < first["cwe"][0]["probability"] <= 1
    assert len(first["cwe"]) <= 5
    assert first["abstained"] is False
    assert second == {"id": "b", "cwe": [], "abstained": True, "reason": "empty-text"}


def test_vectors_come_as_lines_of_json(lines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "cvss", "--input", str(lines)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["vector"].startswith("CVSS:3.1/AV:N/")
    assert 5 <= first["score"] <= 10
    assert second["abstained"] is True
    assert second["score"] is None


def test_a_text_on_the_command_line_is_answered_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "cwe", "--labels", "nvd", TEXT]) == 0
    assert "CWE-89" in capsys.readouterr().out


def test_a_broken_line_is_told_and_the_rest_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b'{"id": 1}\nnonsense\n\xff\xfe\n[]\n' + json.dumps({"id": 2, "text": TEXT}).encode())
    assert main(["map", "cwe", "--input", str(file)]) == 3
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert captured.err.count("passed over") == 4


def test_altered_weights_end_with_4(lines: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(FOLDER, folder)
    content = bytearray((folder / "ngrams.npz").read_bytes())
    content[1000] ^= 255
    (folder / "ngrams.npz").write_bytes(content)
    assert main(["map", "cwe", "--weights", str(folder), "--input", str(lines)]) == 4
    assert main(["map", "cvss", "--weights", str(folder), "--input", str(lines)]) == 4


def test_missing_weights_end_with_4(lines: Path, tmp_path: Path) -> None:
    assert main(["map", "cwe", "--weights", str(tmp_path / "none"), "--input", str(lines)]) == 4


def test_a_missing_input_is_wrong_usage(tmp_path: Path) -> None:
    assert main(["map", "cwe", "--input", str(tmp_path / "none.jsonl")]) == 2

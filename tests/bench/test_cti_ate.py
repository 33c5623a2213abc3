from pathlib import Path

import pytest

pytest.importorskip("numpy")

from casemate.bench.cti_ate import ids_of, measure_ate
from casemate.core.errors import WrongUsage


def test_answers_are_read_as_main_techniques():
    assert ids_of("T1059, T1573.001,t1546") == {"T1059", "T1573", "T1546"}
    assert ids_of("") == frozenset()


def test_a_table_is_measured_and_written(tmp_path: Path):
    table = tmp_path / "cti-ate.tsv"
    row = (
        "https://x/S1\tEnterprise\tIt uses PowerShell to run scripts. It encrypts files for ransom.\tP\tT1059, T1486\n"
    )
    table.write_text("URL\tPlatform\tDescription\tPrompt\tGT\n" + row, encoding="utf-8")
    report = measure_ate(table, tmp_path / "items.jsonl")
    assert report["task"] == "cti-ate"
    assert report["n"] == 1
    assert 0 <= report["score"] <= 1
    assert "S1" in (tmp_path / "items.jsonl").read_text(encoding="utf-8")


def test_another_file_is_refused(tmp_path: Path):
    other = tmp_path / "other.tsv"
    other.write_text("a\tb\n1\t2\n", encoding="utf-8")
    with pytest.raises(WrongUsage):
        measure_ate(other, tmp_path / "items.jsonl")


@pytest.mark.data
def test_the_published_sample_is_read(shared_data: Path, tmp_path: Path):
    report = measure_ate(shared_data / "cti-bench-sample" / "cti-ate.tsv", tmp_path / "items.jsonl")
    assert report["n"] == 12

import json
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from casemate.bench.cti import measure_rcm, measure_vsp, read_items
from casemate.core.errors import WrongUsage


def test_a_table_is_read_with_its_answers(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text('URL\tDescription\tPrompt\tGT\nhttps://x/CVE-2024-1\t"a ""b"""\tp\tCWE-79 \n', encoding="utf-8")
    (item,) = read_items(table)
    assert (item.name, item.text, item.truth) == ("CVE-2024-1", 'a "b"', "CWE-79")


@pytest.mark.parametrize("content", ["", "a\tb\n1\t2\n", "URL\tDescription\tGT\nhttps://x\n", "\x00\x01"])
def test_what_is_no_table_is_refused_or_empty(tmp_path: Path, content: str) -> None:
    table = tmp_path / "t.tsv"
    table.write_text(content, encoding="utf-8")
    try:
        items = read_items(table)
    except WrongUsage:
        items = []
    assert items == []


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage):
        read_items(tmp_path / "none.tsv")


@pytest.mark.data
def test_the_weakness_sample_is_scored(shared_data: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    report = measure_rcm(shared_data / "cti-bench-sample" / "cti-rcm.tsv", items)
    assert (report["task"], report["n"], report["metric"]) == ("cti-rcm", 100, "accuracy")
    rows = [json.loads(line) for line in items.read_text().splitlines()]
    assert sum(row["right"] for row in rows) / 100 == report["score"]
    assert report["score"] <= report["top5"]
    assert report["score"] > 0.5


@pytest.mark.data
def test_the_severity_sample_is_scored(shared_data: Path, tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    report = measure_vsp(shared_data / "cti-bench-sample" / "cti-vsp.tsv", items)
    assert report["n"] + report["unscored"] == 100
    rows = [json.loads(line) for line in items.read_text().splitlines()]
    assert report["score"] == pytest.approx(sum(row["deviation"] for row in rows) / len(rows), abs=1e-3)
    assert report["score"] < 2.0

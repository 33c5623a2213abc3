"""CTI-MCQ is read as published and scored by accuracy."""

import json
from pathlib import Path

import pytest

from casemate.bench.cti_mcq import measure_mcq, read_questions
from casemate.core.errors import WrongUsage
from tests.retrieve.shelf import make_shelf

HEADER = "URL\tQuestion\tOption A\tOption B\tOption C\tOption D\tPrompt\tGT\n"
ROWS = (
    'u1\t"Which ""crew"" robs lighthouses with hooks?"\tVelvet Gull\tIron Puffin\tCopper Heron\tNobody\tp\tB\n'
    "u2\tWhich crew forges customs papers?\tVelvet Gull\tIron Puffin\tCopper Heron\tNobody\tp\tA \n"
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "cti-mcq.tsv"
    file.write_text(HEADER + ROWS, "utf-8")
    return file


def test_rows_are_read_as_published(table: Path):
    first, second = read_questions(table)
    assert first[1:] == (
        'Which "crew" robs lighthouses with hooks?',
        ("Velvet Gull", "Iron Puffin", "Copper Heron", "Nobody"),
        "B",
    )
    assert second[3] == "A"


def test_accuracy_counts_what_is_right(table: Path, tmp_path: Path):
    with make_shelf(tmp_path / "knowledge.sqlite") as knowledge:
        report = measure_mcq(table, tmp_path / "items.jsonl", knowledge)
    assert (report["task"], report["n"], report["score"], report["metric"]) == ("cti-mcq", 2, 0.5, "accuracy")
    rows = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert [(row["answer"], row["right"]) for row in rows] == [("B", True), ("C", False)]
    assert all(row["passages"] for row in rows)


@pytest.mark.parametrize("content", ["", "a\tb\n1\t2\n", HEADER + "u\tq\n"])
def test_another_table_is_refused(tmp_path: Path, content: str):
    file = tmp_path / "other.tsv"
    file.write_text(content)
    if content:
        with pytest.raises(WrongUsage):
            read_questions(file)
    else:
        assert read_questions(file) == []


@pytest.mark.data
def test_the_published_sample_is_read(shared_data: Path):
    questions = read_questions(shared_data / "cti-bench-sample" / "cti-mcq.tsv")
    assert len(questions) == 100
    assert {truth for *_, truth in questions} <= set("ABCD")
    assert all(all(options) and question for _, question, options, _ in questions)

import json
from pathlib import Path

import pytest

from casemate.core.errors import WrongUsage
from casemate.factory.leaks import drop_near_duplicates, drop_overlaps, find_overlaps, read_benchmarks
from casemate.factory.lessons import Lesson

TEXT = "A use after free in the frobnicate function of Foo before 1.2 lets a remote attacker run code by a crafted file"


def lesson(name: str, about: str, ids: tuple[str, ...] = (), answer: str = "CWE-416") -> Lesson:
    return Lesson(name, "weakness", "Name the CWE.", about, answer, about, name, ids, answer)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "cti-rcm.tsv"
    file.write_text(
        "URL\tDescription\tPrompt\tGT\n"
        f"https://nvd.nist.gov/vuln/detail/CVE-2024-0001\t{TEXT}\tMap this: {TEXT}\tCWE-416\n",
        "utf-8",
    )
    return file


@pytest.mark.parametrize(
    ("one", "how"),
    [
        (lesson("a", "quite another text", ("CVE-2024-0001",)), "id"),
        (lesson("b", TEXT.upper() + "!"), "text"),
        (lesson("c", TEXT + " that is opened"), "near"),
        (lesson("d", "Before it stands much else that has nothing to do with it. " * 4 + TEXT), "contains"),
    ],
)
def test_each_way_of_leaking_is_found(table: Path, one: Lesson, how: str) -> None:
    (found,) = find_overlaps([one], read_benchmarks([table]))
    assert (found["how"], found["benchmark"]) == (how, "cti-rcm:0")


def test_what_is_alike_in_form_only_is_kept(table: Path) -> None:
    other = (
        "A SQL injection in the login form of Bar before 3.4 lets a remote attacker read the database by a crafted name"
    )
    assert find_overlaps([lesson("e", other, ("CVE-2023-0001",)), lesson("f", "")], read_benchmarks([table])) == []


def test_leaks_are_dropped_and_reported(table: Path, tmp_path: Path) -> None:
    rows = [lesson("a", TEXT), lesson("b", "a text that no benchmark has anywhere in it")]
    assert drop_overlaps(rows, read_benchmarks([table]), tmp_path / "report.json", ["cti-rcm.tsv"]) == rows[1:]
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["dropped"] == {"text": 1}
    assert report["compared_with"] == ["cti-rcm.tsv"]
    assert report["overlaps"][0]["lesson"] == "a"


def test_json_lines_and_folders_are_read(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text(json.dumps({"id": "CVE-2020-1234", "text": TEXT}) + "\n", "utf-8")
    (tmp_path / "LICENSE").write_text("not a table", "utf-8")
    (known,) = read_benchmarks([tmp_path])
    assert known.ids == {"CVE-2020-1234"}
    assert known.texts == (TEXT,)


def test_what_is_no_benchmark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text("{", "utf-8")
    for path in (tmp_path / "broken.jsonl", tmp_path / "absent.tsv", tmp_path / "note.md"):
        with pytest.raises(WrongUsage):
            read_benchmarks([path])


def test_near_duplicates_are_dropped_but_not_other_answers() -> None:
    rows = [
        lesson("a", TEXT),
        lesson("b", TEXT + "."),
        lesson("c", "Another text about another thing altogether, long"),
    ]
    kept, dropped = drop_near_duplicates(rows)
    assert ([one.id for one in kept], dropped) == (["a", "c"], 1)


@pytest.mark.data
def test_the_sample_of_the_benchmark_is_read(shared_data: Path) -> None:
    known = read_benchmarks([shared_data / "cti-bench-sample"])
    assert sum(name.name.startswith("cti-rcm:") for name in known) == 100
    assert len({one for row in known for one in row.ids}) >= 150
    one = next(row for row in known if row.name == "cti-mcq:5")
    assert one.texts, "the questions of the multiple-choice table are compared too"

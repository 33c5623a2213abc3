import json
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from casemate.factory.decontaminate import drop_leaks, find_leaks, read_tests
from casemate.factory.rows import Row

TEXT = "A use after free in the frobnicate function of Foo before 1.2 lets a remote attacker run code by a crafted file"
TESTS = [("cti-rcm:CVE-2024-0001", TEXT)]


@pytest.mark.parametrize(
    ("row", "how"),
    [
        (Row("CVE-2024-0001", "quite another text"), "id"),
        (Row("CVE-2020-1", TEXT.upper() + "!"), "text"),
        (Row("CVE-2020-2", TEXT + " that is opened"), "near"),
    ],
)
def test_a_leak_is_found(row: Row, how: str) -> None:
    (leak,) = find_leaks([row], TESTS)
    assert leak["how"] == how
    assert leak["test"] == "cti-rcm:CVE-2024-0001"


def test_another_text_is_no_leak() -> None:
    other = Row(
        "CVE-2020-3", "A SQL injection in the frobnicate function of Foo before 1.2 lets a remote attacker read"
    )
    assert find_leaks([other, Row("CVE-2020-4", "")], TESTS) == []


def test_leaks_are_dropped_and_reported(tmp_path: Path) -> None:
    rows = [Row("CVE-2024-0001", "a"), Row("CVE-2024-0002", "b")]
    assert drop_leaks(rows, TESTS, tmp_path / "report.json") == rows[1:]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["dropped"] == {"id": 1}
    assert report["rows"] == 2


@pytest.mark.data
def test_the_sample_of_the_benchmark_is_read(shared_data: Path) -> None:
    tests = read_tests(shared_data / "cti-bench-sample")
    assert sum(name.startswith("cti-rcm:CVE-") for name, _ in tests) == 100
    assert sum(name.startswith("cti-vsp:CVE-") for name, _ in tests) == 100

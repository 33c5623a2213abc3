import gzip
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")

from casemate.factory.rows import choose_vulnerabilities, draw, fold, metrics_of, read_vulnerabilities

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def _raw(number: int, text: str, source: str = "nvd", year: int = 2024, **more: Any) -> dict[str, Any]:
    known = {
        "cve": f"CVE-{year}-{number:05}",
        "description": text,
        "cwe": ["CWE-79"],
        "cwe_primary": "CWE-79",
        "cwe_source": source,
        "published": f"{year}-08-10",
        "cvss_v3": VECTOR,
        "cvss_v3_source": source,
    }
    return known | more


def _write(folder: Path, files: dict[str, list[dict[str, Any]]]) -> Path:
    names = ("cve_cwe_train", "cve_cvss_train", "nvd2021_extra", "mitre_top25_2023", "cwe_observed_examples")
    for name in names:
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in files.get(name, []))
    return folder


def test_nothing_held_out_is_trained_on(tmp_path: Path) -> None:
    rows = [_raw(number, f"text number {number} of a flaw") for number in range(200)]
    twin = _raw(999, "TEXT number 3, of a flaw!", year=2019)
    split = read_vulnerabilities(_write(tmp_path, {"cve_cwe_train": [*rows, twin]}))
    held = {row.name for rows in split.held.values() for row in rows}
    assert 100 < len(split.held["cwe-nvd"]) < 190
    assert not held & {row.name for row in split.train}
    texts = {fold(row.text) for rows in split.held.values() for row in rows}
    assert not texts & {fold(row.text) for row in split.train}


def test_a_vector_in_the_text_is_not_learned_from(tmp_path: Path) -> None:
    leaking = _raw(1, f"A flaw scored {VECTOR} by us", cwe_primary="", leak=True)
    split = read_vulnerabilities(_write(tmp_path, {"cve_cvss_train": [leaking]}))
    assert split.train == []
    assert not any(split.held.values())


def test_vectors_are_joined_to_the_weaknesses(tmp_path: Path) -> None:
    files = {"cve_cwe_train": [_raw(1, "a", year=2020, cvss_v3=None)], "cve_cvss_train": [_raw(1, "a", year=2020)]}
    (row,) = read_vulnerabilities(_write(tmp_path, files)).train
    assert row.cwe == "CWE-79"
    assert row.metrics == (0, 0, 0, 0, 0, 2, 2, 2)


def test_names_of_categories_are_not_learned(tmp_path: Path) -> None:
    old = [_raw(n, f"t {n}", year=2010, cwe_primary="CWE-264", cvss_v3=None) for n in range(20)]
    assert choose_vulnerabilities(read_vulnerabilities(_write(tmp_path, {"cve_cwe_train": old})).train) == []


def test_a_draw_depends_on_the_name_alone() -> None:
    assert draw("CVE-2024-1") == draw("CVE-2024-1") != draw("CVE-2024-2")
    assert abs(sum(draw(str(n)) for n in range(2000)) / 2000 - 0.5) < 0.03


@pytest.mark.parametrize("vector", [None, "", "CVSS:3.1/AV:N", "nonsense", VECTOR.replace("AV:N", "AV:Z")])
def test_what_is_no_vector_gives_no_metrics(vector: str | None) -> None:
    assert metrics_of(vector) == ()


@pytest.mark.data
@pytest.mark.slow
def test_the_real_split_keeps_held_out_rows_apart(shared_data: Path) -> None:
    split = read_vulnerabilities(shared_data / "cve")
    held = {row.name for rows in split.held.values() for row in rows}
    assert len(split.held["cwe-nvd"]) > 800
    assert not held & {row.name for row in split.train}

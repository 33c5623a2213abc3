"""The kept form of the compiled anchors gives the same answers, and a damaged one is compiled anew."""

from pathlib import Path

import pytest

from casemate.stages.extract.scanner import Scanner

TEXT = "GET http://evil-site.com/a from 192.0.114.9 with d41d8cd98f00b204e9800998ecf8427e\n" * 3


def test_the_kept_form_gives_the_same_answers(tmp_path: Path):
    first = Scanner("hyperscan", tmp_path).scan(TEXT)
    (kept,) = tmp_path.iterdir()
    before = kept.stat().st_mtime_ns
    assert Scanner("hyperscan", tmp_path).scan(TEXT) == first == Scanner("re").scan(TEXT)
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [b"", b"short", b"0" * 5000])
def test_a_damaged_form_is_made_anew(tmp_path: Path, damage: bytes):
    first = Scanner("hyperscan", tmp_path).scan(TEXT)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(damage)
    assert Scanner("hyperscan", tmp_path).scan(TEXT) == first
    assert len(kept.read_bytes()) > len(damage)


def test_a_folder_that_cannot_be_used_is_done_without(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("in the way", "utf-8")
    assert Scanner("hyperscan", file).scan(TEXT)

"""Measuring extraction: the gold format, the counts, and the sets made from real reports."""

import json

import pytest

from casemate.bench.extract import measure_extract
from casemate.bench.gold import Score, compare_key, read_gold, score, write_gold
from casemate.bench.gold_sets import SETS, build_gold_sets
from casemate.core.errors import WrongUsage


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.txt").write_text("hxxp://evil[.]com/x and 1.2.3.4\n")
    (tmp_path / "empty.txt").write_text("nothing here\n")
    gold = {
        "a.txt": [("url", "http://evil.com/x", ""), ("ipv4-addr", "1.2.3.4", ""), ("ipv4-addr", "9.9.9.9", "")],
        "empty.txt": [],
    }
    write_gold(tmp_path / "gold.jsonl", gold)
    return tmp_path


def test_counts_by_hand(folder):
    result = measure_extract(folder, peers=False)
    assert (result["files"], result["right"], result["wrong"], result["missed"]) == (2, 2, 0, 1)
    assert result["precision"] == 1.0
    assert result["recall"] == round(2 / 3, 4)
    assert result["by_type"]["url"]["f1"] == 1.0
    assert result["mb_per_s"] > 0
    assert result["peers"] == {}
    assert json.loads(json.dumps(result)) == result


def test_gold_reads_back(folder):
    assert read_gold(folder / "gold.jsonl") == {
        "a.txt": {("url", "http://evil.com/x"), ("ipv4-addr", "1.2.3.4"), ("ipv4-addr", "9.9.9.9")},
        "empty.txt": set(),
    }


def test_without_gold_there_are_speeds_only(folder):
    (folder / "gold.jsonl").unlink()
    result = measure_extract(folder, peers=False)
    assert "f1" not in result
    assert result["bytes"] > 0


@pytest.mark.parametrize("line", ["{", "[]", '{"type": "url"}', '{"file": "a", "type": "url"}'])
def test_a_bad_gold_line_is_named(tmp_path, line):
    (tmp_path / "gold.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(WrongUsage, match="line 2"):
        read_gold(tmp_path / "gold.jsonl")


def test_gold_of_a_file_that_is_not_there(tmp_path):
    (tmp_path / "gold.jsonl").write_text('{"file": "absent.txt"}\n')
    with pytest.raises(WrongUsage, match=r"absent\.txt"):
        measure_extract(tmp_path, peers=False)


def test_an_empty_folder_has_a_way_out(tmp_path):
    with pytest.raises(WrongUsage) as raised:
        measure_extract(tmp_path, peers=False)
    assert raised.value.way_out


def test_keys_are_compared_alike():
    assert compare_key("url", "HTTP://Evil.COM/Path/") == ("url", "http://evil.com/Path")
    assert compare_key("file", "AB", "MD5") == ("file:MD5", "ab")
    assert compare_key("ipv4-addr", "10.0.0.0/8") == ("ipv4-addr", "10.0.0.0")


def test_scores():
    assert Score(0, 0, 0).f1 == 1.0
    counted = score({"a": {("url", "x"), ("url", "y")}}, {"a": {("url", "x"), ("md5", "z")}}, ["url"])
    assert (counted.right, counted.wrong, counted.missed) == (1, 0, 1)


@pytest.mark.data
def test_sets_are_made_from_real_reports_and_found(shared_data, tmp_path):
    counts = build_gold_sets(shared_data, tmp_path)
    assert set(counts) == set(SETS)
    for name, least in {"unit42-timely": 0.97, "volexity-csv": 0.97, "iocsearcher-forms": 0.9}.items():
        assert counts[name]["gold"] > 10
        assert measure_extract(tmp_path / name, peers=False)["f1"] > least, name

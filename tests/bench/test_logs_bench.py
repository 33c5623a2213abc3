"""The measure of log grouping, on groups whose accuracy is known, and on the real samples."""

from pathlib import Path

import pytest

from casemate.bench.logs import accuracy, f1_of_groups, measure_grouping
from casemate.core.errors import WrongUsage


def test_a_line_counts_only_in_a_group_that_is_exactly_right():
    gold = ["a", "a", "b", "b", "c"]
    assert accuracy([1, 1, 2, 2, 3], gold) == 1.0
    assert accuracy([1, 1, 2, 3, 3], gold) == 0.4
    assert accuracy([1, 1, 1, 1, 1], gold) == 0.0
    assert f1_of_groups([1, 1, 2, 2, 3], gold) == 1.0
    assert f1_of_groups([1, 1, 2, 3, 3], gold) == pytest.approx(1 / 3)


def test_a_folder_without_samples_is_wrong_usage(tmp_path: Path):
    with pytest.raises(WrongUsage):
        measure_grouping(tmp_path)


@pytest.mark.data
@pytest.mark.slow
def test_real_logs_group_as_experts_grouped_them(shared_data: Path):
    result = measure_grouping(shared_data / "logs")
    assert len(result["by_system"]) == 10
    assert result["mean"]["messages"] >= 0.95
    assert result["mean"]["raw_lines"] >= 0.93
    assert all(row["messages"] >= 0.75 for row in result["by_system"].values())

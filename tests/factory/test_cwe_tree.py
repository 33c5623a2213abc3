from pathlib import Path

import pytest

from casemate.factory.cwe_tree import nearest_inside, read_parents, read_view, view_targets

PARENTS = {"CWE-121": ("CWE-788", "CWE-787"), "CWE-788": ("CWE-119",), "CWE-787": ("CWE-119",), "CWE-9": ("CWE-9",)}


def test_the_nearest_ancestor_is_taken_and_not_the_one_above_it():
    assert nearest_inside("CWE-121", PARENTS, frozenset({"CWE-787", "CWE-119"})) == ("CWE-787",)
    assert nearest_inside("CWE-121", PARENTS, frozenset({"CWE-119"})) == ("CWE-119",)


def test_a_weakness_inside_stands_for_itself():
    assert nearest_inside("CWE-787", PARENTS, frozenset({"CWE-787", "CWE-119"})) == ("CWE-787",)


def test_a_weakness_that_leads_nowhere_counts_for_nothing_and_a_circle_ends():
    assert nearest_inside("CWE-1", PARENTS, frozenset({"CWE-119"})) == ()
    assert nearest_inside("CWE-9", PARENTS, frozenset({"CWE-119"})) == ()


@pytest.mark.data
def test_the_real_hierarchy_leads_a_stack_overflow_to_the_out_of_bounds_write(shared_data: Path):
    folder = shared_data / "knowledge" / "cwe"
    assert len(read_view(folder)) == 130
    assert "CWE-788" in read_parents(folder)["CWE-121"]
    assert view_targets(["CWE-121", "CWE-787", "CWE-1104"], folder) == [[1], [1], []]

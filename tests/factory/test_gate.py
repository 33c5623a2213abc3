"""The gate: no build that fell below its parent is released, and what was not measured is not passed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.core.errors import NotTrusted, WrongUsage
from casemate.factory.gate import Evaluation, Floor, Measured, check_gate, judge, read_evaluation, read_floors, wilson

FLOORS = {"cti-rcm": Floor(0.01)}


def scores(value: float, n: int = 1000) -> dict[str, Measured]:
    return {"cti-rcm": Measured(value, n)}


@pytest.mark.parametrize(
    ("build", "released"), [(0.70, True), (0.69, True), (0.6899, False), (0.5, False), (0.9, True)]
)
def test_the_floor_is_on_the_measured_score(build: float, *, released: bool) -> None:
    assert (judge(FLOORS, scores(build), scores(0.70)).refused == ()) is released


def test_a_refusal_names_the_task_and_both_figures() -> None:
    floors = {**FLOORS, "summary": Floor(0.0)}
    build = Evaluation("build", "d", scores(0.62) | {"summary": Measured(0.9, 50)})
    parent = Evaluation("parent", "p", scores(0.70) | {"summary": Measured(0.8, 50)})
    with pytest.raises(NotTrusted, match=r"cti-rcm: build 0\.620 .*parent 0\.700 .*floor 0\.690: REFUSED") as caught:
        check_gate(floors, build, parent, "d")
    assert "summary" not in caught.value.message


def test_what_was_not_measured_is_refused() -> None:
    for build, parent, who in (({}, scores(0.7), "the build"), (scores(0.7), {}, "the parent")):
        (task,) = judge(FLOORS, build, parent).refused
        assert task.reason == f"{who} was not measured on it"


def test_fewer_items_than_the_parent_do_not_count() -> None:
    (task,) = judge(FLOORS, scores(0.99, 10), scores(0.7, 1000)).refused
    assert "10 items" in task.reason


def test_a_least_score_holds_whatever_the_parent_has() -> None:
    floors = {"cti-rcm": Floor(1.0, 0.95)}
    assert judge(floors, scores(0.94), scores(0.2)).refused
    assert not judge(floors, scores(0.95), scores(0.99)).refused


def test_noise_is_called_noise_but_the_floor_holds() -> None:
    (small,) = judge(FLOORS, scores(0.65, 100), scores(0.70, 100)).tasks
    assert small.reason
    assert small.within_chance
    (large,) = judge(FLOORS, scores(0.65, 20_000), scores(0.70, 20_000)).tasks
    assert not large.within_chance
    assert "cannot be told from chance" in str(small)


def test_another_file_than_was_evaluated_is_refused() -> None:
    one = Evaluation("m", "d", scores(0.7))
    with pytest.raises(NotTrusted, match="of another file"):
        check_gate(FLOORS, one, one, "e")


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_interval_holds_the_score_and_narrows(n: int, share: float) -> None:
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
    assert wilson(share, 4 * n)[1] - wilson(share, 4 * n)[0] < high - low


def test_interval_is_wilsons() -> None:
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(0.3, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    "text", ["", "[floors]", "floors = 1", "[floors]\na = 2.0", "[floors]\na = {lost = 0.1}", "[floors]\na = {}", "["]
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(text)
    with pytest.raises(WrongUsage):
        read_floors(path)


def test_recipe_and_record_are_read(tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text("[floors]\na = 0.01\nb = { loss = 0.0, least = 0.9 }\nc = { least = 0.5 }\n")
    assert read_floors(tmp_path / "gate.toml") == {"a": Floor(0.01), "b": Floor(0.0, 0.9), "c": Floor(1.0, 0.5)}
    record = {"model": "m", "digest": "d", "tasks": {"a": {"score": 0.5, "n": 10, "seconds": 3}}}
    (tmp_path / "e.json").write_text(json.dumps(record))
    assert read_evaluation(tmp_path / "e.json") == Evaluation("m", "d", {"a": Measured(0.5, 10)})


@pytest.mark.parametrize(
    "task", [{"score": 66.6, "n": 10}, {"score": 0.5}, {"score": True, "n": 1}, {"score": 0.5, "n": 0}, 3]
)
def test_what_is_no_record_is_refused(tmp_path: Path, task: object) -> None:
    path = tmp_path / "e.json"
    path.write_text(json.dumps({"model": "m", "digest": "d", "tasks": {"a": task}}))
    with pytest.raises(WrongUsage, match="no evaluation record"):
        read_evaluation(path)

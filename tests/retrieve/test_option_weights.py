"""The shipped weights are what their manifest says, and probabilities follow the calibrated chance."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.errors import NotTrusted
from casemate.stages.retrieve.option_weights import FILE, FOLDER, MANIFEST, SIGNS, read_weights, tempered


def copied(folder: Path) -> Path:
    for name in (FILE, MANIFEST):
        shutil.copyfile(FOLDER / name, folder / name)
    return folder


def test_the_shipped_weights_are_sealed(tmp_path: Path):
    assert read_weights(copied(tmp_path)).digest == read_weights(FOLDER).digest


def test_an_altered_file_is_refused(tmp_path: Path):
    file = copied(tmp_path) / FILE
    file.write_text(file.read_text("utf-8").replace("0", "1", 1), "utf-8")
    with pytest.raises(NotTrusted, match="not the file"):
        read_weights(tmp_path)


@pytest.mark.parametrize("name", [FILE, MANIFEST])
def test_a_missing_file_is_refused(tmp_path: Path, name: str):
    (copied(tmp_path) / name).unlink()
    with pytest.raises(NotTrusted, match="missing"):
        read_weights(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": 3}', "null"])
def test_a_broken_manifest_is_refused(tmp_path: Path, content: str):
    (copied(tmp_path) / MANIFEST).write_text(content, "utf-8")
    with pytest.raises(NotTrusted, match="cannot be read"):
        read_weights(tmp_path)


def test_more_support_means_a_higher_chance():
    held = read_weights(FOLDER)
    low, high = np.zeros(len(SIGNS)), np.zeros(len(SIGNS))
    low[SIGNS.index("share")], high[SIGNS.index("share")] = -1.2, -0.05
    high[SIGNS.index("margin")] = 3.0
    assert held.chance(high) > held.chance(low)


@settings(max_examples=80, deadline=None)
@given(
    logits=st.lists(st.floats(-20, 20), min_size=2, max_size=6, unique=True),
    chance=st.floats(0.01, 0.99),
)
def test_probabilities_add_up_and_keep_the_order(logits: list[float], chance: float):
    found = tempered(np.array(logits), chance)
    assert sum(found) == pytest.approx(1.0)
    assert max(found) == found[logits.index(max(logits))]
    assert max(found) >= 1 / len(logits)
    second, best = sorted(logits)[-2:]
    if best - second > 0.1:
        assert max(found) == pytest.approx(max(chance, 1 / len(logits)), abs=0.02)

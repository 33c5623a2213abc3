"""The fitting of weights and of chances, on numbers that were made up."""

import numpy as np
import pytest

from casemate.factory.off_topic import everyday_questions, make_off_topic
from casemate.factory.options import calibration_error, fit, fit_chance


def test_fitting_finds_the_telling_column():
    draw = np.random.default_rng(4)
    right = draw.integers(0, 4, 300)
    rows = draw.normal(size=(300, 4, 3))
    rows[np.arange(300), right, 1] += 2.0
    weights = fit(rows, right)
    assert weights[1] > 5 * max(abs(weights[0]), abs(weights[2]))
    assert ((rows @ weights).argmax(axis=1) == right).mean() > 0.8


def test_chances_are_calibrated():
    draw = np.random.default_rng(5)
    seen = draw.normal(size=(4000, 2))
    true = 1 / (1 + np.exp(-(2 * seen[:, 0] - 0.5)))
    right = draw.random(4000) < true
    centre, scale, slopes, offset = fit_chance(seen[:2000], right[:2000])
    chances = 1 / (1 + np.exp(-(((seen[2000:] - centre) / scale) @ slopes + offset)))
    assert calibration_error(chances, right[2000:]) < 0.05
    assert calibration_error(np.ones(2000), right[2000:]) == pytest.approx(1 - right[2000:].mean(), abs=1e-9)


def test_questions_about_other_things_are_the_same_for_a_seed():
    assert make_off_topic(20, 3) == make_off_topic(20, 3) != make_off_topic(20, 4)
    for one in (*make_off_topic(20, 3), *everyday_questions()):
        assert len(one.options) == len(set(one.options)) == 4
        assert 0 <= one.right < 4

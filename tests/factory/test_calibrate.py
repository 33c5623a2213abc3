import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numpy")

from casemate.bench.cti import calibration_error, quantile
from casemate.factory.calibrate import fit_curve, search
from casemate.stages.classify.answer import interpolate

pairs = st.lists(st.tuples(st.floats(0.01, 0.99), st.booleans()), min_size=20, max_size=120)


@given(pairs)
@settings(max_examples=60)
def test_a_curve_rises_and_stays_between_0_and_1(seen: list[tuple[float, bool]]) -> None:
    curve = fit_curve([chance for chance, _ in seen], [right for _, right in seen])
    shown = [interpolate(curve, step / 50) for step in range(51)]
    assert all(0 <= value <= 1 for value in shown)
    assert all(left <= right + 1e-9 for left, right in pairwise(shown))


def test_a_curve_corrects_one_who_is_too_sure() -> None:
    chooser = random.Random(1)
    seen = [(chance, chooser.random() < chance**3) for chance in (chooser.random() for _ in range(3000))]
    curve = fit_curve(*map(list, zip(*seen, strict=True)))
    assert calibration_error(seen) > 0.15
    assert calibration_error([(interpolate(curve, chance), right) for chance, right in seen]) < 0.04


def test_the_search_finds_the_lowest_point() -> None:
    grids = ([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
    assert search(lambda point: (point[0] - 3) ** 2 + (point[1] - 0) ** 2, grids) == ([3.0, 0.0], 0.0)


def test_quantiles_are_of_the_values() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert quantile([], 0.5) == 0.0


def test_a_perfect_teller_has_no_calibration_error() -> None:
    assert calibration_error([(1.0, True)] * 5 + [(0.0, False)] * 5) == 0
    assert calibration_error([(1.0, False)]) == 1

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from casemate.stages.classify.cwe_view import View

TARGETS = [[0], [0, 3], [], [3]]


def test_a_weakness_outside_counts_for_its_ancestors_in_equal_parts():
    gathered = View(TARGETS).gather(np.array([0.1, 0.5, 0.2, 0.2], np.float32))
    assert np.allclose(gathered, [0.4375, 0.0, 0.0, 0.5625])


def test_a_weakness_without_an_ancestor_inside_is_left_out_even_if_it_is_all_there_is():
    assert not View(TARGETS).gather(np.array([0.0, 0.0, 1.0, 0.0], np.float32)).any()


@given(arrays(np.float32, (3, 4), elements=st.floats(0.0078125, 1.0, width=32)))
def test_what_is_gathered_lies_inside_the_view_and_sums_to_one(chances):
    gathered = View(TARGETS).gather(chances)
    assert not gathered[:, [1, 2]].any()
    assert np.allclose(gathered.sum(axis=1), 1.0, atol=1e-5)

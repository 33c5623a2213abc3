"""Costs add up, and a sum knows joules only when every part does."""

from hypothesis import given
from hypothesis import strategies as st

from casemate.core.cost import Cost

costs = st.builds(
    Cost,
    st.integers(1, 9),
    *[st.integers(0, 99)] * 3,
    st.integers(0, 99).map(float),
    st.integers(0, 99),
    st.none() | st.integers(0, 99).map(float),
)


@given(costs, costs, costs)
def test_sums(one: Cost, two: Cost, three: Cost) -> None:
    assert (one + two) + three == one + (two + three)
    assert one + two == two + one
    assert one + Cost() == Cost() + one == one
    both = one + two
    assert both.tokens == one.tokens + two.tokens
    assert both.peak_bytes == max(one.peak_bytes, two.peak_bytes)
    assert (both.joules is None) == (one.joules is None or two.joules is None)

"""Options that speak of other options, and how they are measured."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.knowledge import Knowledge
from casemate.stages.retrieve.composite import composites
from casemate.stages.retrieve.options import FEATURES, RAW, measure
from tests.retrieve.shelf import make_shelf


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    with make_shelf(tmp_path_factory.mktemp("shelf") / "knowledge.sqlite") as knowledge:
        yield knowledge


@pytest.mark.parametrize(
    ("last", "members", "holds"),
    [
        ("All of the above", (0, 1, 2), True),
        ("all of these options.", (0, 1, 2), True),
        ("Both A and C", (0, 2), True),
        ("A, B and C", (0, 1, 2), True),
        ("Options B and C are correct", (1, 2), True),
        ("None of the above", (0, 1, 2), False),
    ],
)
def test_an_option_may_speak_of_others(last: str, members: tuple[int, ...], holds: bool):
    (found,) = composites(["Soot", "Oil", "Paint", last]).items()
    assert found[0] == 3
    assert (found[1].members, found[1].holds) == (members, holds)


@pytest.mark.parametrize("last", ["All data of the host", "A and B testing", "Both ends", "None", "Z and Y", "D", ""])
def test_most_options_speak_for_themselves(last: str):
    assert composites(["Soot", "Oil", "Paint", last]) == {}


@given(st.lists(st.text(alphabet="ABCDand,& of the above", max_size=24), max_size=8))
def test_members_are_places_of_other_plain_options(options: list[str]):
    found = composites(options)
    for place, one in found.items():
        assert place not in one.members
        assert not set(one.members) & found.keys()
        assert all(0 <= member < len(options) for member in one.members)


def test_a_taking_in_option_is_supported_by_its_weakest_member(shelf: Knowledge):
    raw = len(FEATURES)

    def support(*options: str) -> float:
        weighed = measure("How is Lantern Painting (T9001) done?", (*options, "All of the above"), shelf.pieces)
        assert weighed.measured[len(options), raw + RAW.index("is_all")] == 1.0
        return float(weighed.measured[len(options), raw + RAW.index("all_support")])

    good = ("The paint is mixed with soot from the chimney", "Applied before sunset with a broad brush")
    assert support(*good) > support(good[0], "Forged customs papers")


def test_a_denying_option_is_weighed_by_the_best_of_the_others(shelf: Knowledge):
    place = len(FEATURES) + RAW.index("none_support")

    def support(*options: str) -> float:
        asked = measure("Which group drags anchors?", (*options, "None of the above"), shelf.pieces)
        return float(asked.measured[len(options), place])

    assert support("Copper Heron", "Iron Puffin") > support("Prayer", "Weather")

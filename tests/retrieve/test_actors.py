"""An alias leads to one actor, or to a list where it is shared."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.knowledge import Knowledge
from casemate.stages.retrieve.actors import KINDS, Mention, SpellingIndex, edits, map_actors
from tests.retrieve.shelf import make_shelf


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    with make_shelf(tmp_path_factory.mktemp("shelf") / "knowledge.sqlite") as knowledge:
        yield knowledge


def asked(shelf: Knowledge, text: str) -> tuple[Mention, ...]:
    return map_actors(text, shelf, shelf.pieces, SpellingIndex(shelf.aliases(KINDS)))


def test_an_alias_is_its_actor(shelf: Knowledge):
    (mention,) = asked(shelf, "silk-tern")
    assert (mention.name, mention.attack_id, mention.how) == ("Velvet Gull", "G9001", "alias")


def test_a_shared_alias_is_a_list_and_no_guess(shelf: Knowledge):
    (mention,) = asked(shelf, "Night Ferry")
    assert (mention.name, mention.attack_id, mention.matched) == ("", "", "Night Ferry")
    assert {candidate.attack_id for candidate in mention.candidates} == {"G9001", "G9002"}


def test_the_words_around_order_the_list(shelf: Knowledge):
    (mention,) = asked(
        shelf, "Night Ferry, seen again with grappling hooks at the lighthouses of the southern coast, took two lamps."
    )
    assert [candidate.attack_id for candidate in mention.candidates] == ["G9002", "G9001"]
    assert mention.name == ""


@pytest.mark.parametrize("written", ["Velvet Gul", "Velvte Gull", "velvet gulll", "Copper Herron"])
def test_a_misspelled_alias_is_found(shelf: Knowledge, written: str):
    (mention,) = asked(shelf, written)
    assert mention.how == "spelling"
    assert mention.name in {"Velvet Gull", "Copper Heron"}


def test_what_is_taken_by_a_longer_name_is_not_a_name_again(shelf: Knowledge):
    assert [mention.matched for mention in asked(shelf, "Velvet Gul")] == ["Velvet Gul"]


def test_an_id_is_read(shelf: Knowledge):
    assert [mention.name for mention in asked(shelf, "the crew G9003 again")] == ["Copper Heron"]


def test_a_description_gives_candidates_only(shelf: Knowledge):
    text = "A crew that robs lighthouses along the southern coast with grappling hooks has struck again, says the port."
    (mention,) = asked(shelf, text)
    assert (mention.name, mention.how) == ("", "description")
    assert mention.candidates[0].attack_id == "G9002"


@pytest.mark.parametrize("text", ["", " ", "\0", "zzzzqqqq", "12345", "\ud800"])
def test_nothing_is_nobody(shelf: Knowledge, text: str):
    assert asked(shelf, text) == ()


def test_numbers_are_never_misspelled():
    spelling = SpellingIndex(["APT28", "APT29", "Lazarus"])
    assert spelling.nearest("APT27") == ()
    assert spelling.nearest("Lazaruss") == ("lazarus",)


@given(st.text(max_size=12), st.text(max_size=12))
def test_edits_are_symmetric_and_bounded(one: str, other: str):
    assert edits(one, other, 3) == edits(other, one, 3) <= 4
    assert (edits(one, other, 3) == 0) is (one == other)


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_is_answered(shelf: Knowledge, text: str):
    for mention in asked(shelf, text):
        assert mention.candidates
        assert bool(mention.name) is (len(mention.candidates) == 1 and mention.how != "description")

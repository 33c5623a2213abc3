"""Passages are cut, titled and indexed so that each can be found by its words and by what it is about."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.knowledge import Knowledge
from casemate.knowledge.pieces import LONGEST, cut
from casemate.knowledge.terms import PAIR, stem, terms_and_pairs, terms_of
from tests.retrieve.shelf import make_shelf


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    with make_shelf(tmp_path_factory.mktemp("shelf") / "knowledge.sqlite") as knowledge:
        yield knowledge


def titles(shelf: Knowledge, id_: str) -> set[str]:
    pieces = shelf.pieces.read([number for number, _, _ in shelf.pieces.owned([id_])])
    return {piece.title for piece in pieces.values()}


def test_a_relationship_belongs_to_both_and_names_both(shelf: Knowledge):
    title = "Velvet Gull (G9001) uses Lantern Painting (T9001)"
    assert title in titles(shelf, "G9001")
    assert title in titles(shelf, "t9001")
    assert "Lamp Inspection (M9001) mitigates Lantern Painting (T9001)" in titles(shelf, "T9001")


def test_facts_and_ties_are_told(shelf: Knowledge):
    texts = [piece.text for piece in shelf.pieces.read(range(shelf.pieces.size)).values() if piece.id == "T9001"]
    assert any(
        "Tactics: Defense Evasion." in text and "Mitigations: Lamp Inspection (M9001)." in text for text in texts
    )


def test_postings_are_rows_of_unit_length(shelf: Knowledge):
    pieces = shelf.pieces.read(range(shelf.pieces.size))
    terms = {term for piece in pieces.values() for term in terms_and_pairs(f"{piece.title}\n{piece.text}")}
    lengths = [0.0] * shelf.pieces.size
    for posting in shelf.pieces.postings(terms).values():
        for number, weight in zip(posting.pieces, posting.weights, strict=True):
            lengths[int(number)] += float(weight) ** 2
    assert lengths == pytest.approx([1.0] * len(lengths), abs=0.01)


def test_ties_are_found_either_way(shelf: Knowledge):
    assert ("G9001", "uses", "T9001") in shelf.pieces.ties(["T9001", "G9001"])
    assert shelf.pieces.ties(["T9001"]) == ()


@given(st.text(alphabet="ab. \n", max_size=4000))
def test_cutting_loses_no_word_and_bounds_the_length(text: str):
    parts = list(cut(text))
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(len(part) <= LONGEST + 200 for part in parts)


@pytest.mark.parametrize(
    ("one", "other"),
    [("encrypting", "encryption"), ("policies", "policy"), ("processes", "process"), ("dropped", "drops")],
)
def test_inflections_meet(one: str, other: str):
    assert stem(one) == stem(other)


def test_identifiers_stand_whole_beside_their_parts():
    assert terms_of("T1059.001 via Get-ADUser") == ["t1059", "001", "t1059.001", "get", "adus", "get-aduser"]
    assert all(PAIR not in term for term in terms_of("a big red fox"))


@given(st.text(max_size=300))
def test_any_text_has_terms(text: str):
    assert all(terms_and_pairs(text))

"""Options are ranked by what the knowledge says for them."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.knowledge import Knowledge
from casemate.stages.retrieve.entities import entities_in, ids_in
from casemate.stages.retrieve.negation import is_negated
from casemate.stages.retrieve.option_weights import trained_weights
from casemate.stages.retrieve.options import FEATURES, NAMES, RAW, compared, measure, weigh_options
from tests.retrieve.shelf import make_shelf


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    with make_shelf(tmp_path_factory.mktemp("shelf") / "knowledge.sqlite") as knowledge:
        yield knowledge


def best(shelf: Knowledge, question: str, *options: str) -> str:
    weighed = weigh_options(question, options, shelf.pieces)
    return options[max(range(len(options)), key=lambda place: weighed.probabilities[place])]


def test_an_actor_is_chosen_by_what_it_did(shelf: Knowledge):
    options = ("Copper Heron", "Velvet Gull", "Iron Puffin")
    assert best(shelf, "Which group mixed soot with linseed oil to dull a beacon?", *options) == "Velvet Gull"
    assert best(shelf, "Which group dragged an anchor across the Marlow cable?", *options) == "Copper Heron"


def test_advice_is_chosen_by_the_relationship(shelf: Knowledge):
    options = ("Lamp Inspection (M9001)", "Cable Armour (M9002)", "Prayer")
    assert best(shelf, "Which mitigation wraps cables in steel wire?", *options) == options[1]
    assert best(shelf, "What helps against T9001?", *options) == options[0]


def test_a_fact_of_a_named_entry_answers(shelf: Knowledge):
    assert (
        best(shelf, "Under which tactic does Anchor Dragging fall?", "Collection", "Impact", "Defense Evasion")
        == "Impact"
    )


def test_a_negated_question_turns_the_evidence_round(shelf: Knowledge):
    options = (
        "Paint mixed with soot from the chimney",
        "Applied with a broad brush before sunset",
        "Forged customs papers",
    )
    weighed = weigh_options(
        "Which of the following is NOT described for Lantern Painting (T9001)?", options, shelf.pieces
    )
    assert weighed.negated
    assert weighed.probabilities.index(max(weighed.probabilities)) == 2


@pytest.mark.parametrize(
    ("question", "negated"),
    [
        ("Which is NOT a mitigation?", True),
        ("All of these apply EXCEPT:", True),
        ("Which of these isn't a tactic of it?", True),
        ("Which is not mentioned on the page?", True),
        ("Which group did this?", False),
        ("What happens if a browser does what notes say?", False),
        ("Which weakness exists when the product does not check a length?", False),
        ("Which mitigation prevents software that is not signed?", False),
        ("Which one of the following is not a platform of it?", True),
        ("Which of the following does not apply to it?", True),
        ("Which tactic cannot be served by it?", True),
        ("What is not a feature of it?", True),
        ("Which of these hasn't been described?", True),
        ("Which option is least likely to help?", True),
        ("Which statement about it is incorrect?", True),
        ("Which of the following measures is typically not recommended?", True),
        ("Which data sources, with the exception of all logs, are used?", False),
        ("What happens when a server does not validate its input?", False),
        ("Which weakness describes a product that does not release memory?", False),
        ("Which weakness is present in code that is not thread-safe?", False),
        ("Which CWE applies because permissions are not checked?", False),
        ("Which mitigations for T1003.001 in the Windows matrix are not recommended?", True),
        ("According to the page, which mitigation is not listed?", True),
        ("What describes a product in which inputs are not checked?", False),
        ("Which technique hides payloads in files, which are not signed?", False),
        ("Which malware encrypts all files except executables?", False),
        ("All of these are tactics of it except", True),
        ("In ICS, all of the following are assets except which one?", True),
        ("What is the effect of incorrect authorization?", False),
        ("What does the following describe: features that the runtime offers and that do not apply?", False),
        ("Why do adversaries prefer tools that are not known to defenders?", False),
    ],
)
def test_negation_is_read(question: str, negated: bool):
    assert is_negated(question) is negated


def test_ids_are_read_in_every_spelling():
    assert ids_in("cwe 79, CWE_89 and capec-66; t1059.001 but not T10590") == (
        "CWE-79",
        "CWE-89",
        "CAPEC-66",
        "T1059.001",
    )


def test_the_longest_name_is_taken(shelf: Knowledge):
    assert entities_in(["Does lantern painting help Night Ferry?"], shelf.pieces) == [("T9001", "G9001", "G9002")]


def test_every_feature_has_its_weights():
    assert trained_weights().options.shape == (len(NAMES),) == (2 * len(FEATURES) + len(RAW),)


def test_equal_options_are_equally_likely(shelf: Knowledge):
    weighed = weigh_options("Which group painted lanterns?", ("Velvet Gull", "Velvet Gull"), shelf.pieces)
    assert weighed.probabilities == pytest.approx((0.5, 0.5))


@settings(max_examples=60, deadline=None)
@given(question=st.text(max_size=200), options=st.lists(st.text(max_size=60), min_size=2, max_size=6))
def test_any_text_is_weighed_to_one(question: str, options: list[str], shelf: Knowledge):
    weighed = weigh_options(question, options, shelf.pieces)
    assert sum(weighed.probabilities) == pytest.approx(1.0)
    assert compared(weighed.measured).shape == (len(options), len(NAMES))
    assert 0.0 <= weighed.chance <= 1.0


def test_measuring_twice_is_the_same(shelf: Knowledge):
    asked = ("Which group painted lanterns?", ("Velvet Gull", "Iron Puffin"))
    assert (measure(*asked, shelf.pieces).measured == measure(*asked, shelf.pieces).measured).all()

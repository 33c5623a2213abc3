"""What the nearest passages say of one option."""

from hypothesis import given
from hypothesis import strategies as st

from casemate.stages.retrieve.measures import Sentence, bare, best_phrase, best_spelling, listed, plain, told_values
from casemate.stages.retrieve.passages_index import Vector

TACTICS = (
    "Tactics: Defense Evasion, Persistence.\nPlatforms: Windows, Linux, macOS.\nMitigations: Lamp Inspection (M9001)."
)
ASKED = Vector({}, {"tactic": 1.0, "platform": 1.0})


def said(text: str, about: float = 0.5) -> Sentence:
    return Sentence(frozenset(), plain(text), 1.0, about)


def test_an_option_is_read_without_its_id():
    assert bare("Lamp Inspection (M9001).") == "Lamp Inspection"
    assert bare("T1059.001: PowerShell") == "PowerShell"
    assert bare("CWE-79") == "CWE-79"


def test_a_listed_value_counts_more_where_the_list_is_asked_for():
    told = told_values([TACTICS])
    assert listed("Persistence", told, ASKED) == 1.0
    assert listed("Lamp Inspection (M9001)", told, ASKED) == 0.5
    assert listed("Impact", told, ASKED) == 0.0


def test_several_values_are_compared_as_a_set():
    told = told_values([TACTICS])
    whole = listed("Windows, Linux and macOS", told, ASKED)
    assert whole == 1.0
    assert whole > listed("Windows, Linux", told, ASKED) > listed("Android, iOS", told, ASKED)


def test_a_phrase_stands_in_a_sentence_as_whole_words():
    sentences = [said("The group wrote 42 letters in 2019.", 0.6), said("The group slept in 2020.", 0.2)]
    assert best_phrase("2019", sentences) > best_phrase("2020", sentences) > best_phrase("201", sentences) == 0.0


def test_spelling_meets_other_forms_of_a_word():
    sentences = [said("Payloads are deobfuscated in memory.")]
    assert best_spelling("deobfuscation of payloads", sentences) > best_spelling("sunset paint", sentences)


@given(st.text(max_size=60), st.text(max_size=200))
def test_any_text_is_measured_within_bounds(option: str, text: str):
    assert 0.0 <= listed(option, told_values([text]), ASKED) <= 1.0
    assert best_phrase(option, [said(text)]) >= 0.0
    assert 0.0 <= best_spelling(option, [said(text)]) <= 1.5601

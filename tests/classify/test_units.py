from hypothesis import given
from hypothesis import strategies as st

from casemate.stages.classify.units import LONGEST, refuse_unit, split_units


def test_sentences_and_lines_keep_their_places():
    text = "It dumps LSASS memory. Then it\nspreads over SMB.\n- powershell -enc AAAA\n\nDone."
    units = list(split_units(text, 100))
    assert [text[unit.start : unit.end] for unit in units] == [unit.text for unit in units]
    assert units[0].text == "It dumps LSASS memory."
    assert units[1].text == "Then it\nspreads over SMB."
    assert units[2].text == "- powershell -enc AAAA"


@given(st.text(max_size=3000))
def test_every_unit_selects_its_text(text):
    for unit in split_units(text, 50):
        assert text[unit.start : unit.end] == unit.text
        assert 0 < len(unit.text) <= LONGEST


def test_no_more_units_than_asked_for():
    assert len(list(split_units("One. Two. Three. " * 1000, 7))) == 7


def test_what_cannot_be_read_is_refused():
    assert refuse_unit("") == "too-few-letters"
    assert refuse_unit("1 2 3 4") == "too-few-letters"
    assert refuse_unit("abcd" + "\x00" * 20) == "binary-text"
    assert refuse_unit("вредоносная программа собирает пароли") == "unknown-language"
    assert refuse_unit("QUJD" * 100) == "no-words"
    assert refuse_unit("malware") == "too-few-words"
    assert refuse_unit("The malware deletes its files.") == ""

"""The numbers expected here were made once with the `tokenizers` package and the same vocabulary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.stages.classify.weights import FOLDER
from casemate.stages.classify.wordpieces import LONGEST_WORD, WordPieces, words_of

SMALL = ["[UNK]", "[CLS]", "[SEP]", "over", "##flow", "heap", "-", "e", "##e", "##f", "中", "."]


def test_the_longest_piece_that_fits_is_taken_first():
    assert WordPieces(SMALL).encode("Heap-overflow overflowe", 96) == [1, 5, 6, 3, 4, 3, 4, 8, 2]


def test_a_word_with_a_part_that_fits_nothing_is_unknown_as_a_whole():
    assert WordPieces(SMALL).encode("heapx heap", 96) == [1, 0, 5, 2]
    assert WordPieces(SMALL).encode("e" * (LONGEST_WORD + 1), 96) == [1, 0, 2]
    assert len(WordPieces(SMALL).encode("e" * LONGEST_WORD, 200)) == LONGEST_WORD + 2


def test_accents_case_controls_and_ideographs():
    assert words_of("É中中 a\tb\x00c\u200bd") == ["e", "中", "中", "a", "bcd"]
    assert words_of("a\x07b\r\nc") == ["ab", "c"]


def test_marks_of_the_model_in_a_text_are_plain_characters():
    assert words_of("[SEP]") == ["[", "sep", "]"]


@given(st.text(max_size=300), st.integers(2, 40))
def test_any_text_gives_framed_numbers_of_bounded_length(text, most):
    numbers = WordPieces(SMALL).encode(text, most)
    assert numbers[0] == 1
    assert numbers[-1] == 2
    assert len(numbers) <= most
    assert set(numbers[1:-1]) <= set(range(len(SMALL))) - {1, 2}


@given(st.text(st.characters(codec="ascii"), max_size=200))
def test_the_short_way_for_ascii_says_what_the_long_way_says(text):
    assert words_of(text) == words_of(text + " é")[:-1]


@pytest.fixture(scope="module")
def shipped() -> WordPieces:
    return WordPieces((FOLDER / "vocab.txt").read_text(encoding="utf-8").splitlines())


EXPECTED = {
    "A heap-based buffer overflow in libfoo 1.2.3 allows RCE via a crafted PNG.": [
        101,
        1037,
        16721,
        1011,
        2241,
        17698,
        2058,
        12314,
        1999,
        5622,
        29292,
        9541,
        1015,
        1012,
        1016,
        1012,
        1017,
        4473,
        22110,
        2063,
        3081,
        1037,
        19275,
        1052,
        3070,
        1012,
        102,
    ],
    "SQL injection in /admin/login.php?id= (CWE-89), naïve façade": [
        101,
        29296,
        13341,
        1999,
        1013,
        4748,
        10020,
        1013,
        8833,
        2378,
        1012,
        25718,
        1029,
        8909,
        1027,
        1006,
        19296,
        2063,
        1011,
        6486,
        1007,
        1010,
        15743,
        8508,
        102,
    ],
    "Überlauf im Parser; 漏洞 在 这里": [
        101,
        19169,
        17298,
        2546,
        10047,
        11968,
        8043,
        1025,
        100,
        100,
        100,
        100,
        1962,
        102,
    ],
    "use-after-free \u2014 \u201cquoted\u201d \u2026 \xa0 end": [
        101,
        2224,
        1011,
        2044,
        1011,
        2489,
        1517,
        1523,
        9339,
        1524,
        1529,
        2203,
        102,
    ],
    "\ufeffBOM and \u200bzero width": [101, 8945, 2213, 1998, 5717, 9381, 102],
}


@pytest.mark.parametrize("text", EXPECTED)
def test_the_shipped_vocabulary_gives_the_numbers_of_the_reference(shipped, text):
    assert shipped.encode(text, 96) == EXPECTED[text]

from hypothesis import given
from hypothesis import strategies as st

from casemate.stages.classify.reading import MAX_CHARACTERS, tidy


def test_a_vector_in_the_text_is_taken_out() -> None:
    text = "Overflow in Foo. CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H allows code execution."
    assert tidy(text) == "Overflow in Foo. allows code execution."
    bare = "Overflow in Foo (AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H) allows."
    assert "AV:N" not in tidy(bare)


def test_spaces_and_lines_become_one_space() -> None:
    assert tidy("a\n\n  b\t c ") == "a b c"


@given(st.text(max_size=400))
def test_any_text_is_tidied_to_one_line(text: str) -> None:
    tidied = tidy(text)
    assert "\n" not in tidied
    assert tidied == tidied.strip()


def test_a_megabyte_is_cut() -> None:
    assert len(tidy("buffer overflow " * 70_000)) <= MAX_CHARACTERS

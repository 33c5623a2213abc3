"""The fence holds whatever the evidence says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.stages.generate.fence import defuse, fence, marker_of

TOKENS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<｜User｜>",
    "<|turn>",
    "<turn|>",
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "<<SYS>>",
    "<</SYS>>",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<think>",
    "</think>",
    "<tool_call>",
    "<unused99>",
    "<0x0A>",
]
MARKER = marker_of(7, "case")
hostile = st.lists(
    st.one_of(st.sampled_from([*TOKENS, MARKER, MARKER.lower(), "<", "|", ">", "[", "\n"]), st.text(max_size=8))
)


@pytest.mark.parametrize("token", TOKENS)
def test_control_token_is_broken(token: str) -> None:
    assert token not in defuse(f"before {token}system\nafter")
    assert token.upper() not in defuse(token.upper())


@given(hostile)
def test_nothing_inside_ends_the_fence_or_opens_a_turn(parts: list[str]) -> None:
    fenced = fence("".join(parts), MARKER)
    assert len(re.findall(re.escape(MARKER), fenced, re.IGNORECASE)) == 2
    assert fenced.startswith(f"BEGIN EVIDENCE {MARKER}\n")
    assert fenced.endswith(f"\nEND EVIDENCE {MARKER}")
    for token in TOKENS:
        assert token not in fenced


@given(hostile)
def test_defusing_twice_changes_nothing_more(parts: list[str]) -> None:
    once = defuse("".join(parts))
    assert defuse(once) == once
    once.encode("utf-8")


@given(st.text(alphabet=st.characters(categories=["L", "N", "Zs"], include_characters="\n\t.,:;/=-_()\"'")))
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert defuse(text) == text


def test_tokens_of_the_model_itself_are_broken_too() -> None:
    assert defuse("a <file_sep> b §x", ["<file_sep>", "§x", "§xy"]) == "a < file_sep> b § x"


@given(hostile, st.lists(st.text(alphabet="ab<|> ", min_size=1, max_size=4), max_size=4))
def test_no_given_token_survives(parts: list[str], tokens: list[str]) -> None:
    defused = defuse("".join(parts) + "ab<|>", tokens)
    assert not [token for token in tokens if len(token.strip()) > 1 and " " not in token and token in defused]


def test_nul_escape_and_surrogate_become_replacement_characters() -> None:
    assert defuse("a\x00b\x1b[31m\ud800\tc\r\n") == "a�b�[31m�\tc\r\n"


@pytest.mark.parametrize("marker", ["", "short", "has space here", "x" * 65, "new\nline-123"])
def test_a_marker_that_marks_nothing_is_refused(marker: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        fence("x", marker)


def test_marker_replays_with_the_seed() -> None:
    assert marker_of(1, "a") == marker_of(1, "a")
    assert len({marker_of(1, "a"), marker_of(2, "a"), marker_of(1, "b"), marker_of(1, "a", "b")}) == 4

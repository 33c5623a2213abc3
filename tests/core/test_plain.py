"""Hostile text is shown, never obeyed: by a terminal as little as by whoever reads JSON on one."""

import json

from hypothesis import given
from hypothesis import strategies as st

from casemate.core.plain import json_escaped, plain


@given(st.text())
def test_shown_text_is_printable(text: str):
    assert plain(text).isprintable()


@given(
    st.recursive(st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
)
def test_escaped_json_means_the_same_and_is_printable(value: object):
    written = json_escaped(json.dumps(value, ensure_ascii=False))
    assert written.isprintable()
    assert json.loads(written) == value


def test_controls_and_direction_marks_are_escaped():
    assert json_escaped('"\x9b\u202e\U000e0041"') == '"\\u009b\\u202e\\udb40\\udc41"'

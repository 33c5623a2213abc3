"""Refanging one indicator: what it gives, and that twice is as once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.stages.extract.refang import clear_view, plain_scheme, refang

PARTS = [
    "hxxp",
    "http",
    "s",
    "[:]",
    "://",
    "[.]",
    "(dot)",
    " dot ",
    "[",
    "]",
    ".",
    "evil",
    "com",
    "/",
    "[/]",
    "@",
    "[at]",
    "\\",
    "1",
    "\u200b",
    "\uff0e",
    "?",
    "{",
    "}",
]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("hxxps[:]//evil[.]com/a[.]php", "https://evil.com/a.php"),
        ("evil[.]com", "evil.com"),
        ("1[.]2(.)3{.}4", "1.2.3.4"),
        ("user[at]evil[dot]com", "user@evil.com"),
        ("https://evil.com/a?b=[x]", "https://evil.com/a?b=[x]"),
        ("d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_refang(text, plain):
    assert refang(text) == plain


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=10).map("".join) | st.text(max_size=20))
def test_twice_is_as_once(text):
    once = refang(text)
    assert refang(once) == once


@pytest.mark.parametrize(
    ("scheme", "plain"),
    [
        ("hXXp", "http"),
        ("hxxps", "https"),
        ("h**p", "http"),
        ("meow", "http"),
        ("fxp", "ftp"),
        ("http[s]", "https"),
        ("htps", "https"),
        ("LDAP", "ldap"),
    ],
)
def test_schemes(scheme, plain):
    assert plain_scheme(scheme) == plain


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab.\u200b\u00ad\ufeff\uff0e\u3002\uff21é中"), max_size=20))
def test_the_view_leads_back_to_the_text(text):
    view, offsets = clear_view(text)
    if not offsets:
        assert len(view) == len(text)
    else:
        assert len(offsets) == len(view) + 1
        assert offsets == sorted(set(offsets))
        assert offsets[-1] == len(text)

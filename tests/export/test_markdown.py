import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.stages.export import render
from casemate.stages.export.markdown import code, words

from .cases import hostile_cases
from .sample import HOSTILE, reviewed, sample

ALLOWED = {
    "h1",
    "h2",
    "h3",
    "p",
    "strong",
    "ul",
    "li",
    "blockquote",
    "code",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "br",
}


def html_of(markdown: str) -> str:
    """Render as a wiki would at its most careless: raw HTML and tables on."""
    reader = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    return reader.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)


def test_every_section_of_the_sample_is_there() -> None:
    text = render(sample()[0], "markdown", sample()[1]).decode()
    for part in (
        "**TLP:AMBER+STRICT**",
        "UNREVIEWED DRAFT",
        "## Proposed disposition",
        "## Summary",
        "## Findings",
        "## Techniques by tactic",
        "## Timeline",
        "## Observables",
        "## Cited evidence",
        "## Earlier cases",
        "## Ask next",
        "## Issues",
        "## Evidence",
        "## How this case was made",
        "The MITRE Corporation",
    ):
        assert part in text, part
    closed = render(reviewed(sample()[0]), "markdown", sample()[1]).decode()
    assert "UNREVIEWED" not in closed
    assert "decided by mara\\.lindqvist" in closed


@settings(max_examples=30, deadline=None)
@given(hostile_cases())
def test_evidence_makes_no_element(made) -> None:
    text = render(made[0], "markdown", made[1]).decode()
    assert all(char == "\n" or char.isprintable() for char in text)
    page = html_of(text)
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= ALLOWED
    assert not re.search(r"<[^>]*\s(on|href|src|style)", page)
    assert page.count("<h1>") == 1


@given(st.one_of(st.text(), st.sampled_from(HOSTILE)))
def test_escaped_words_read_as_they_were(text: str) -> None:
    shown = html_of(f"x{words(text)}x")
    assert set(re.findall(r"<([a-z0-9]+)", shown)) == {"p"}


@given(st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(alphabet="`| \\a")))
def test_a_code_span_holds_its_text(text: str) -> None:
    shown = html_of(f"| a | b |\n| --- | --- |\n| {code(text)} | z |\n")
    assert shown.count("<td>") == 2
    assert shown.count("<code>") == 1
    assert "<td>z</td>" in shown

"""The model quotes, code finds the span: what is cited is always the evidence's own text."""

from hypothesis import given
from hypothesis import strategies as st

from casemate.core.digest import Digest
from casemate.core.text import Span
from casemate.stages.validate import Excerpt, find_quote
from casemate.stages.validate.quotes import SHORTEST_QUOTE, fold

EVIDENCE = Digest("a" * 64)
TEXT = "Failed  password for root\nfrom hxxp://evil[.]example/a and “quoted” text, user[@]corp[.]example"


def excerpt(text: str, start: int = 100, line: int = 5) -> Excerpt:
    return Excerpt(Span(EVIDENCE, start, start + len(text)), text, line)


def test_an_exact_quote_is_found_where_it_stands():
    citation = find_quote("password for root", [excerpt(TEXT)])
    assert citation is not None
    assert (citation.span.start, citation.quote, citation.line) == (108, "password for root", 5)


def test_white_space_case_and_defanging_are_folded_but_the_evidence_is_cited():
    citation = find_quote("failed password for root from http://evil.example/a", [excerpt(TEXT)])
    assert citation is not None
    assert citation.quote == "Failed  password for root\nfrom hxxp://evil[.]example/a"


def test_the_line_counts_from_the_excerpts_first_line():
    citation = find_quote("user@corp.example", [excerpt(TEXT)])
    assert citation is not None
    assert citation.line == 6
    assert citation.quote == "user[@]corp[.]example"


def test_what_is_not_there_is_not_found():
    assert find_quote("Accepted password for root", [excerpt(TEXT)]) is None


def test_a_short_quote_carries_nothing():
    assert find_quote("root", [excerpt(TEXT)]) is None
    assert find_quote("[.]" * SHORTEST_QUOTE, [excerpt("." * 4)]) is None


@given(
    text=st.text(alphabet=st.sampled_from("abz .\n\t[]()@“'ßİΣ\u200bx:/hH*"), max_size=80),
    start=st.integers(0, 60),
    length=st.integers(SHORTEST_QUOTE, 40),
)
def test_any_part_of_the_evidence_is_found_and_the_span_selects_the_quote(text: str, start: int, length: int):
    quote = text[start : start + length].strip()
    citation = find_quote(quote, [excerpt(text)])
    if len(quote) < SHORTEST_QUOTE:
        assert citation is None
        return
    assert citation is not None
    inside = text[citation.span.start - 100 : citation.span.end - 100]
    assert inside == citation.quote == quote


@given(st.text(alphabet=st.sampled_from("ab .\n[]()@dot“'\u200bx:/hp*"), min_size=1, max_size=60), st.data())
def test_a_folded_quote_cites_text_that_folds_to_the_same(text: str, data: st.DataObject):
    quote = data.draw(st.text(alphabet="ab dot.xhp", min_size=SHORTEST_QUOTE, max_size=20))
    citation = find_quote(quote, [excerpt(text)])
    if citation is not None:
        inside = text[citation.span.start - 100 : citation.span.end - 100]
        assert inside == citation.quote
        assert fold(quote)[0].strip() in fold(citation.quote)[0]

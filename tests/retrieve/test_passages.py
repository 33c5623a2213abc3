from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.digest import Digest
from casemate.core.finding import Finding
from casemate.core.passage import Entry, Passage
from casemate.policy import Limits
from casemate.stages.retrieve import choose_passages
from casemate.stages.retrieve.passages import trim_quote

RELEASE = Digest("1" * 64)


class HeldReference:
    """A few entries, and a search that finds every entry with a word of the query in its text."""

    def __init__(self, *entries: Entry) -> None:
        self.entries = {entry.id: entry for entry in entries}

    def entry(self, id_: str, /) -> Entry | None:
        return self.entries.get(id_)

    def search(self, query: str, /, kinds: Sequence[str] = (), limit: int = 10) -> tuple[Passage, ...]:
        found = [entry for entry in self.entries.values() if any(word in entry.text for word in query.split())]
        return tuple(Passage(entry.id, entry.kind, entry.name, entry.text, RELEASE, 2.5) for entry in found)[:limit]


def technique(id_: str, text: str, successor: str = "") -> Entry:
    state = "revoked" if successor else ""
    return Entry(id_, "technique", (f"Name of {id_}",), text, RELEASE, state=state, successor=successor)


def finding(kind: str, title: str, reference: str = "", candidates: tuple[str, ...] = ()) -> Finding:
    return Finding("F1", kind, title, "", "named", (), reference=reference, candidates=candidates)


def test_ids_are_looked_up_before_anything_is_searched_for() -> None:
    reference = HeldReference(technique("T1", "About logins."), technique("T2", "About ssh logins."))
    chosen = choose_passages([finding("detection", "ssh"), finding("technique", "x", "T1")], reference, Limits())
    assert [(passage.id, passage.score, passage.title) for passage in chosen] == [
        ("T1", 1.0, "Name of T1"),
        ("T2", 2.5, "Name of T2"),
    ]


def test_every_candidate_of_an_ambiguous_name_is_brought() -> None:
    reference = HeldReference(technique("G1", "One."), technique("G2", "Two."))
    chosen = choose_passages([finding("actor", "Bear", candidates=("G1", "G2"))], reference, Limits())
    assert [passage.id for passage in chosen] == ["G1", "G2"]


def test_a_revoked_id_brings_its_successor_and_a_circle_ends() -> None:
    reference = HeldReference(technique("T1", "Old.", "T2"), technique("T2", "New."))
    assert [passage.id for passage in choose_passages([finding("technique", "x", "T1")], reference, Limits())] == [
        "T1",
        "T2",
    ]
    circle = HeldReference(technique("T1", "Old.", "T2"), technique("T2", "New.", "T1"))
    assert len(choose_passages([finding("technique", "x", "T1")], circle, Limits())) == 2


def test_unknown_ids_and_no_findings_bring_nothing() -> None:
    assert choose_passages([finding("technique", "x", "T9")], HeldReference(), Limits()) == ()
    assert choose_passages([], HeldReference(technique("T1", "x")), Limits()) == ()


def test_limits_hold_and_an_entry_comes_once() -> None:
    reference = HeldReference(*(technique(f"T{n}", "Words about it. " * 40) for n in range(9)))
    findings = [finding("technique", "Words", f"T{n}") for n in (*range(9), *range(9))]
    chosen = choose_passages([*findings, finding("pattern", "Words")], reference, Limits(passages=4, quote_chars=50))
    assert [passage.id for passage in chosen] == ["T0", "T1", "T2", "T3"]
    assert {passage.quote for passage in chosen} == {"Words about it. Words about it. Words about it."}


@pytest.mark.parametrize(
    ("text", "most", "quote"),
    [
        ("One. Two. Three.", 100, "One. Two. Three."),
        ("One. Two. Three.", 10, "One. Two."),
        ("One. Two. Three.", 9, "One. Two."),
        ("One. Two. Three.", 8, "One."),
        ("Uses e.g. cmd and more words here", 20, "Uses e.g. cmd and…"),
        ("Version 1.2 of a thing that is long", 14, "Version 1.2…"),
        ("A heading\n\nThen a long text follows", 20, "A heading"),
        ("abcdefghijklmnop", 5, "abcd…"),
        ("", 5, ""),
    ],
)
def test_quotes_end_at_sentence_borders(text: str, most: int, quote: str) -> None:
    assert trim_quote(text, most) == quote


@settings(max_examples=100)
@given(st.text(alphabet="ab. \n!?é", max_size=120), st.integers(2, 60))
def test_a_quote_is_never_longer_and_always_the_beginning(text: str, most: int) -> None:
    quote = trim_quote(text, most)
    assert len(quote) <= most
    assert text.strip().startswith(quote.removesuffix("…"))

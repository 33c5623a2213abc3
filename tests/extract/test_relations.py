"""Relations read off sentences: who does what to whom by the order of words; nothing where the sentence denies it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.stages.extract.relation_rows import find_row_relations
from casemate.stages.extract.relation_types import RELATED, choose_relationship, is_allowed
from casemate.stages.extract.relations import Mention, find_relations
from casemate.stages.extract.victims import find_victims

NAMES = {
    "Velvet Gull": "intrusion-set",
    "Night Ferry": "intrusion-set",
    "LanternRAT": "malware",
    "MothLoader": "malware",
    "TideBot": "malware",
    "oarcat": "tool",
    "Anchor Dragging": "attack-pattern",
    "CVE-2031-1111": "vulnerability",
    "192.0.2.7": "ipv4-addr",
    "198.51.100.9": "ipv4-addr",
    "gull.example": "domain-name",
    "Norway": "location",
    "Sweden": "location",
}


def mentions(text: str) -> list[Mention]:
    return [
        Mention(found.start(), found.end(), kind, name)
        for name, kind in NAMES.items()
        for found in re.finditer(re.escape(name), text)
    ]


def read(text: str) -> set[tuple[str, str, str]]:
    return {(one.subject.name, one.relationship, one.object.name) for one in find_relations(text, mentions(text))}


SAID = {
    "Velvet Gull uses LanternRAT.": {("Velvet Gull", "uses", "LanternRAT")},
    "Velvet Gull (G9001), also known as something else, has recently deployed a new loader called MothLoader.": {
        ("Velvet Gull", "uses", "MothLoader")
    },
    "LanternRAT was dropped by MothLoader in March.": {("MothLoader", "drops", "LanternRAT")},
    "LanternRAT, deployed by Velvet Gull, is old.": {("Velvet Gull", "uses", "LanternRAT")},
    "Velvet Gull exploited CVE-2031-1111 and installed TideBot.": {
        ("Velvet Gull", "targets", "CVE-2031-1111"),
        ("Velvet Gull", "uses", "TideBot"),
    },
    "MothLoader exploits CVE-2031-1111.": {("MothLoader", "exploits", "CVE-2031-1111")},
    "LanternRAT communicates with 192.0.2.7 and 198.51.100.9.": {
        ("LanternRAT", "communicates-with", "192.0.2.7"),
        ("LanternRAT", "communicates-with", "198.51.100.9"),
    },
    "Velvet Gull and Night Ferry use LanternRAT, TideBot and the tool oarcat.": {
        (who, "uses", what) for who in ("Velvet Gull", "Night Ferry") for what in ("LanternRAT", "TideBot", "oarcat")
    },
    "Velvet Gull targeted organizations in Norway and Sweden.": {
        ("Velvet Gull", "targets", "Norway"),
        ("Velvet Gull", "targets", "Sweden"),
    },
    "TideBot is a variant of LanternRAT.": {("TideBot", "variant-of", "LanternRAT")},
    "The LanternRAT C2 server is 192.0.2.7.": {("LanternRAT", "communicates-with", "192.0.2.7")},
    "gull.example resolved to 192.0.2.7.": {("gull.example", "resolves-to", "192.0.2.7")},
    "LanternRAT is attributed to Velvet Gull.": {("LanternRAT", "authored-by", "Velvet Gull")},
    "Velvet Gull used MothLoader to deliver LanternRAT.": {
        ("Velvet Gull", "uses", "MothLoader"),
        ("Velvet Gull", "uses", "LanternRAT"),
    },
}

UNSAID = (
    "Velvet Gull did not use LanternRAT.",
    "Velvet Gull never exploited CVE-2031-1111.",
    "There is no evidence that Velvet Gull uses LanternRAT.",
    "Did Velvet Gull use LanternRAT?",
    "Velvet Gull failed to deploy LanternRAT.",
    "After the first victims of Velvet Gull were found, somebody else used LanternRAT.",
    "Velvet Gull used the infrastructure of others; LanternRAT is another story.",
    "Velvet Gull uses LanternRAT's builder.",
    "The product blocks MothLoader before it can drop LanternRAT.",
    "192.0.2.7 uses LanternRAT.",
    "LanternRAT and Velvet Gull.",
)


@pytest.mark.parametrize("sentence", SAID)
def test_what_a_sentence_says_is_read(sentence: str):
    assert read(sentence) == SAID[sentence]


@pytest.mark.parametrize("sentence", UNSAID)
def test_what_a_sentence_does_not_say_is_not_read(sentence: str):
    assert read(sentence) == set()


def test_a_sentence_that_leaves_it_open_says_so():
    (one,) = find_relations("Velvet Gull may have used LanternRAT.", mentions("Velvet Gull may have used LanternRAT."))
    assert one.hedged


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("| 192.0.2.7 | IP | LanternRAT C&C |", ("LanternRAT", "communicates-with", "192.0.2.7")),
        ("gull.example - LanternRAT C2", ("LanternRAT", "communicates-with", "gull.example")),
        ("| 192.0.2.7 | 8050 | LanternRAT |", None),
        ("192.0.2.7 is no LanternRAT C2, not any more", None),
    ],
)
def test_a_row_of_a_table_is_read_when_it_says_what_the_address_is(row: str, wanted: tuple[str, str, str] | None):
    found = [(one.subject.name, one.relationship, one.object.name) for one in find_row_relations(row, mentions(row))]
    assert found == ([wanted] if wanted else [])


WORDS = st.sampled_from(
    [
        *NAMES,
        "uses",
        "used",
        "by",
        "to",
        "and",
        ",",
        "was",
        "drops",
        "dropped",
        "not",
        "the",
        "(",
        ")",
        "in",
        "C2",
        "’s",
        "?",
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_any_order_of_words_gives_only_relations_that_stix_has(text: str):
    found = mentions(text)
    for one in find_relations(text, found):
        assert is_allowed(one.subject.type, one.relationship, one.object.type)
        assert one.subject in found
        assert one.object in found
        assert (one.start, one.end) == (0, len(text))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_without_a_fault(text: str):
    find_relations(text, mentions(text))
    find_row_relations(text, mentions(text))
    for start, end, kind, name, _ in find_victims(text):
        assert text[start:end]
        assert kind in {"location", "identity"}
        assert name


def test_countries_and_sectors_are_found_with_their_codes():
    found = [
        (kind, name, code) for _, _, kind, name, code in find_victims("banks in the UK and the energy sector of Chile")
    ]
    assert found == [
        ("identity", "financial-services", ""),
        ("location", "United Kingdom", "GB"),
        ("identity", "energy", ""),
        ("location", "Chile", "CL"),
    ]


def test_a_meaning_without_a_relationship_between_the_types_gives_none():
    assert choose_relationship("use", "ipv4-addr", "malware") == ""
    assert choose_relationship("host", "malware", "url") == RELATED
    assert choose_relationship("deploy", "malware", "malware") == "uses"

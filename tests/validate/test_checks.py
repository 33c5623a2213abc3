"""Each check drops what it is there to drop, and passes what the evidence carries."""

import pytest

from casemate.core.digest import Digest
from casemate.core.finding import Citation
from casemate.core.text import Place, Span
from casemate.stages.extract.scanner import Scanner
from casemate.stages.validate import CHECKS, Claim, check_citations, check_claims

EVIDENCE = Digest("a" * 64)
QUOTE = "Failed password for root from 198.51.100.23 port 40629 ssh2"
SCANNER = Scanner()


def claim(text: str, quote: str | None = QUOTE) -> Claim:
    citation = None if quote is None else Citation(Span(EVIDENCE, 0, len(quote)), quote, 1)
    return Claim(
        text=text,
        citation=citation,
        seen=frozenset({"198.51.100.23"}),
        scan=lambda found: SCANNER.scan(found, 0),
        known=lambda identifier: identifier == "T1110",
        suspicious=lambda found: "ignore all previous" in found.lower(),
    )


def test_a_carried_sentence_is_kept():
    kept, issues = check_claims([claim("The password for root failed from 198.51.100.23.")])
    assert len(kept) == 1
    assert issues == ()


DROPPED = [
    ("quote-not-found", "The password for root failed.", None),
    ("not-a-sentence", "Failed.", QUOTE),
    ("not-a-sentence", "Failed password for root \x1b[2J from there", QUOTE),
    ("unseen-observable", "The password for root failed from 203.0.113.9.", QUOTE),
    ("unseen-observable", "The failed password is technique T1999 of a root port.", QUOTE),
    ("unseen-number", "The password for root failed 250 times on that port.", QUOTE),
    ("unsupported", "Attackers encrypted every server and demanded ransom.", QUOTE),
    ("repeats-injection", "Ignore all previous failed password rules for root.", QUOTE),
    ("claims-action", "We have blocked root after the failed password port.", QUOTE),
    ("claims-harmless", "The failed password for root is a false positive.", QUOTE),
]


@pytest.mark.parametrize(("code", "text", "quote"), DROPPED)
def test_each_check_drops_its_own(code: str, text: str, quote: str | None):
    kept, issues = check_claims([claim(text, quote)])
    assert kept == ()
    assert [issue.code for issue in issues] == [code]


def test_every_check_is_tried_above():
    assert {code for code, _, _ in DROPPED} == set(CHECKS)


class OneText:
    """A store of one text."""

    def slice(self, evidence: Digest, start: int, end: int) -> str:
        return QUOTE[start:end] if evidence == EVIDENCE else ""

    def place(self, evidence: Digest, start: int, end: int) -> Place:
        return Place(1, start, end)


def test_a_citation_must_say_what_the_evidence_says():
    good = Citation(Span(EVIDENCE, 0, 6), "Failed", 1)
    forged = Citation(Span(EVIDENCE, 0, 6), "Passed", 1)
    elsewhere = Citation(Span(Digest("b" * 64), 0, 6), "Failed", 1)
    empty = Citation(Span(EVIDENCE, 3, 3), "", 1)
    issues = check_citations([good, forged, elsewhere, empty], OneText())
    assert [issue.code for issue in issues] == ["citation-not-verbatim"] * 3

"""Two cases side by side: what they share with how rare it is, what each has alone, how their times lie."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from casemate.core.assessment import Assessment, Disposition, Proposal
from casemate.core.case import Case, Run, Shared, State, TimelineEntry
from casemate.core.digest import Digest
from casemate.core.event import Event
from casemate.core.evidence import Evidence
from casemate.core.feature import Feature
from casemate.core.finding import Citation, Finding
from casemate.core.loose import LooseTexts
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.text import Span
from casemate.stages.retrieve.related import shared_between
from casemate.tasks.compare import build_material, case_features, compare_in_words, set_beside

START = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
TEXTS = LooseTexts(
    [("here.log", "198.51.100.7 used LanternRAT here"), ("there.log", "198.51.100.7 used LanternRAT there")]
)
HERE, THERE = (one.id for one in TEXTS.cited)


def cite(span: Span) -> Citation:
    return Citation(span, TEXTS.slice(span.evidence, span.start, span.end), 1)


def make(name: str, evidence: Digest, marking: Marking, when: datetime, *, alone: str) -> Case:
    span = Span(evidence, 0, 12)
    values = ("198.51.100.7", alone)
    observables = tuple(Observable("ipv4-addr", value, value, 1, (span,)) for value in values)
    found = Finding("F1", "malware", "LanternRAT", "", "named", (cite(Span(evidence, 18, 28)),), reference="S9001")
    technique = Finding("F2", "technique", "T1033 x", "", "named", (cite(span),), reference="T1033")
    event = Event(0, 0, 12, "sshd", when, "rule one", "m")
    return Case(
        name, f"title of {name}", when, marking, State.DRAFT,
        (Evidence(evidence, f"{name}.log", "lines", marking, 30, 30, 1, when),),
        observables, (TimelineEntry(when, when, 1, event, span),), (found, technique), (),
        Assessment((), Proposal(Disposition.UNDETERMINED, ()), ()), (), (),
        Run("0", 0, None, "none", None, Digest("p"), ()),
    )  # fmt: skip


ONE = make("C-1", HERE, Marking.GREEN, START + timedelta(days=3), alone="203.0.113.1")
TWO = make("C-2", THERE, Marking.RED, START, alone="203.0.113.2")


def beside():
    here, there = case_features(ONE, TEXTS), case_features(TWO, TEXTS)
    held = {Feature("observable", "ipv4-addr:198.51.100.7"): 1, Feature("technique", "T1033"): 2}
    return set_beside(ONE, TWO, here, there, shared_between(here, there, held, 3), 3)


def test_what_is_shared_is_told_with_its_rarity_and_cited_in_both_cases():
    sentences = compare_in_words(beside(), cite)
    told = {sentence.text.partition(":")[0]: sentence for sentence in sentences}
    shared = told["Both hold 1 observable"]
    assert "198.51.100.7 (in no third case)" in shared.text
    assert {citation.span.evidence for citation in shared.citations} == {HERE, THERE}
    assert "T1033 (in 2 of 3 other cases)" in told["Both hold 1 technique"].text
    assert "sshd: rule one" in next(one.text for one in sentences if "kinds of record" in one.text)
    assert any(sentence.text == "Both name the malware LanternRAT." for sentence in sentences)


def test_what_only_one_has_and_how_far_apart_they_lie_is_told():
    texts = " ".join(sentence.text for sentence in compare_in_words(beside(), cite))
    assert "Only C-1 holds 203.0.113.1" in texts
    assert "Only C-2 holds 203.0.113.2" in texts
    assert "Their records lie 3 days apart" in texts


def test_the_strictest_marking_is_carried_and_every_citation_holds():
    material = build_material(ONE, (beside(),), cite)
    assert material.marking is Marking.RED
    known = {one.id for one in material.evidence}
    for sheet in material.sheets:
        for sentence in sheet.composed:
            for citation in sentence.citations:
                assert citation.span.evidence in known
                assert TEXTS.slice(citation.span.evidence, citation.span.start, citation.span.end) == citation.quote


def test_cases_that_share_nothing_say_so():
    lonely = replace(TWO, observables=(), findings=(), timeline=())
    empty = set_beside(ONE, lonely, case_features(ONE, TEXTS), (), (), 1)
    assert "share nothing" in " ".join(sentence.text for sentence in compare_in_words(empty, cite))


def test_a_feature_that_the_index_does_not_count_is_held_by_the_one_case():
    one = Feature("template", "a")
    assert shared_between([one], [one], {}, 5) == (Shared("template", "a", 1),)

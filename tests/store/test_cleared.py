"""What is read in the name of a clearance: no more than it reaches, and nothing that was altered."""

from dataclasses import replace

import pytest

from casemate.core.alert import Alert, Delivery
from casemate.core.digest import digest_bytes
from casemate.core.errors import RecordFailed
from casemate.core.feature import Feature
from casemate.core.marking import Marking
from casemate.policy import Baseline
from casemate.store import Store, owner_name

from .samples import NOW, behind, case, saved


def test_whether_a_case_is_withheld_is_not_told_to_who_cannot_see_it(store: Store) -> None:
    store.queue().receive([Delivery("s", Marking.RED, "", True, (Alert(b"a", "r", "h", "t", "json", 3, NOW),))])
    taken = store.queue().take(owner_name("x"))
    assert taken is not None
    drawn = case()
    proposal = replace(drawn.assessment.proposal, priority=3)
    drawn = replace(drawn, marking=Marking.RED, assessment=replace(drawn.assessment, proposal=proposal))
    store.save_case(drawn, saved(), lease=taken[1], baseline=Baseline(share=1.0))
    assert store.cleared(Marking.RED).withheld("c1")
    assert not store.cleared(Marking.GREEN).withheld("c1")


def test_an_original_that_was_altered_is_not_given_as_what_was_received(store: Store, url: str) -> None:
    received = b"as it was received"
    evidence = digest_bytes(received)
    store.put_blob(received)
    store.put_blob(b"something else")
    made = case()
    store.save_case(replace(made, evidence=(replace(made.evidence[0], id=evidence),)), saved())
    assert store.cleared(Marking.RED).original("c1", evidence) == received
    assert store.cleared(Marking.GREEN).original("c1", evidence) is None
    other = digest_bytes(b"something else")
    with behind(url) as connection:
        swapped = f"(SELECT data FROM blobs WHERE digest = '{other}')"
        connection.exec_driver_sql(f"UPDATE blobs SET data = {swapped} WHERE digest = '{evidence}'")
    with pytest.raises(RecordFailed, match="altered"):
        store.cleared(Marking.RED).original("c1", evidence)


def test_features_are_counted_over_the_cases_that_can_be_seen(store: Store) -> None:
    shared, own = Feature("technique", "T1110"), Feature("observable", "ipv4-addr:192.0.2.1")
    for number, marking in enumerate((Marking.GREEN, Marking.GREEN, Marking.RED)):
        made = replace(case(f"c{number}"), marking=marking)
        store.save_case(made, saved(), [shared, own] if marking is Marking.RED else [shared])
    everything, green = (store.cleared(marking).features() for marking in (Marking.RED, Marking.GREEN))
    assert everything.frequencies([shared, own]) == (3, {shared: 3, own: 1})
    assert everything.frequencies([shared, own], "c2") == (2, {shared: 2})
    assert green.frequencies([shared, own]) == (2, {shared: 2})
    assert green.frequencies([shared, own], "c0") == (1, {shared: 1})
    assert green.frequencies([shared, own], "c2") == (2, {shared: 2}), "nothing is taken away for what is not seen"
    assert [one.id for one in green.holders([shared, own])] == ["c0", "c1"]
    assert [one.id for one in everything.holders([own])] == ["c2"]
    assert [one.id for one in green.holders([shared], among=["c1", "c2"])] == ["c1"]


def test_features_of_withheld_cases_do_not_count_where_proposals_do(store: Store) -> None:
    shared = Feature("technique", "T1110")
    store.queue().receive([Delivery("s", Marking.GREEN, "", True, (Alert(b"a", "r", "h", "t", "json", 3, NOW),))])
    taken = store.queue().take(owner_name("x"))
    assert taken is not None
    drawn = case("drawn")
    proposal = replace(drawn.assessment.proposal, priority=3)
    drawn = replace(drawn, assessment=replace(drawn.assessment, proposal=proposal))
    store.save_case(drawn, saved(), [shared], lease=taken[1], baseline=Baseline(share=1.0))
    store.save_case(case("shown"), saved(), [shared])
    seen = store.cleared(Marking.RED)
    assert seen.features().frequencies([shared]) == (2, {shared: 2})
    assert seen.features(proposed=True).frequencies([shared]) == (1, {shared: 1})
    assert [one.id for one in seen.features(proposed=True).holders([shared])] == ["shown"]

"""What is read in the name of a clearance: no more than it reaches, and nothing that was altered."""

from dataclasses import replace

import pytest

from casemate.core.alert import Alert, Delivery
from casemate.core.digest import digest_bytes
from casemate.core.errors import RecordFailed
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

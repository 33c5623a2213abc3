"""Places of connectors and what they have pushed, on every database."""

from dataclasses import replace

from casemate.core.alert import Alert, Cursor, Delivery
from casemate.core.assessment import Disposition
from casemate.core.marking import Marking
from casemate.store import Store
from casemate.store.pushes import Due

from .samples import NOW, case, reviewed, saved


def test_a_place_is_stored_with_its_delivery_or_alone(store: Store) -> None:
    alert = Alert(b"{}", "rule", "host", "text", "json", 3, NOW)
    moved = (Cursor("one", "a", "1"), Cursor("one", "b\ud800", "x"))
    store.queue().receive([Delivery("connector:one", Marking.GREEN, "", True, (alert,), cursors=moved)])
    store.cursors().put([Cursor("one", "a", "2"), Cursor("two", "a", "9")])
    assert store.cursors().of("one") == {"a": "2", "b\ufffd": "x"}
    assert store.cursors().place("two", "a") == "9"
    assert store.cursors().place("two", "b") is None
    store.cursors().forget("one", ["a", "nowhere"])
    assert store.cursors().of("one") == {"b\ufffd": "x"}


def test_what_is_due_is_closed_allowed_and_not_there_yet(store: Store) -> None:
    every = tuple(Disposition)
    for name, marking in (("a", Marking.GREEN), ("b", Marking.RED), ("c", Marking.GREEN)):
        draft = replace(case(name), marking=marking)
        store.save_case(draft, saved())
        if name != "c":
            store.add_review(reviewed(draft), 1, saved("Ada"))
    pushes = store.pushes()
    (due,) = pushes.due("hook", (Marking.CLEAR, Marking.GREEN), every, 10)
    assert (due.case, due.attempts, due.edition) == ("a", 0, pushes.edition("a"))
    assert pushes.due("hook", (Marking.GREEN,), (Disposition.TRUE_POSITIVE,), 10) == ()
    pushes.failed("hook", due, "no", pause=3600.0, final=False)
    assert pushes.due("hook", (Marking.GREEN,), every, 10) == ()
    pushes.failed("hook", due, "no", pause=-1.0, final=False)
    assert pushes.due("hook", (Marking.GREEN,), every, 10) == (Due("a", due.edition, 1),)
    pushes.done("hook", due, "there", (("sent-sha256", "0" * 64),))
    assert pushes.due("hook", (Marking.GREEN,), every, 10) == ()
    assert len(pushes.due("other", (Marking.GREEN,), every, 10)) == 1
    (kept,) = pushes.of("hook", "a")
    assert (kept.state, kept.reference) == ("done", "there")
    assert store.verify_audit() == ()

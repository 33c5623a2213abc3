"""What is held is read as if it were stored, and is stored with the case: all of it or nothing."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casemate.audit import NewAuditEvent
from casemate.core.alert import Alert, Delivery
from casemate.core.digest import Digest, digest_bytes
from casemate.core.evidence import Closed
from casemate.core.marking import Marking
from casemate.core.text import Chunk, Piece
from casemate.policy import Limits
from casemate.store import Held, LeaseLost, Store, held, owner_name, text_writer

from .samples import NOW, behind, case, digest, saved

E1 = digest("one")
EDITION = Digest("e")
BEGUN = NewAuditEvent("casemate", "case.begun", "c1")
READ = NewAuditEvent("casemate", "evidence.read", E1)


def read_into(holding: Held, texts: list[str], part: int = 0) -> None:
    start = 0
    with holding.write_texts("r") as writer:
        for text in texts:
            writer.write(Chunk(part, start, text, (Piece(start, len(text), start, len(text), 1, note="page\x001"),)))
            start += len(text)
        writer.close(Closed(part, E1, start, start, 1))


def hold_all(store: Store, text: str = "first\nsecond\n") -> Held:
    holding = store.hold(EDITION)
    holding.begin_run("run", ["a"], BEGUN)
    read_into(holding, [text])
    holding.put_original(b"as received")
    holding.save_reading("key", b"what it came to", READ, "run", "a")
    return holding


def actions(store: Store) -> list[str]:
    return [event.action for event in store.audit_events()]


def test_all_that_is_held_is_stored_with_the_case_in_its_order(store: Store, url: str):
    holding = hold_all(store)
    assert holding.texts().slice(E1, 6, 12) == "second"
    assert (store.texts("e").slice(E1, 0, 99), store.reading("key"), store.run("run"), actions(store)) == (
        "",
        None,
        None,
        [],
    )
    store.save_case(case(), saved(), run="run", edition="e", held=holding)
    assert store.texts_of("c1").slice(E1, 6, 12) == holding.texts().slice(E1, 6, 12) == "second"
    assert store.reading("key") == b"what it came to"
    assert store.blob(digest_bytes(b"as received")) == b"as received"
    run = store.run("run")
    assert run is not None
    assert (run.done, run.case) == ((("a", "key"),), "c1")
    assert actions(store) == ["case.begun", "evidence.read", "case-saved"]
    assert store.verify_audit() == ()
    with behind(url) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit_checkpoints").scalar_one() == 1


def test_when_the_case_cannot_be_stored_nothing_is(store: Store):
    store.queue().receive([Delivery("s", Marking.GREEN, "", True, (Alert(b"a", "r", "h", "t", "json", 3, NOW),))])
    taken = store.queue().take(owner_name("x"))
    assert taken is not None
    holding = hold_all(store)
    with pytest.raises(LeaseLost):
        store.save_case(case(), saved(), lease=dataclasses.replace(taken[1], owner="elsewhere/1/y"), held=holding)
    assert (store.case("c1"), store.reading("key"), store.run("run")) == (None, None, None)
    assert store.texts("e").slice(E1, 0, 99) == ""
    store.save_case(case(), saved(), run="run", lease=taken[1], held=holding)
    assert store.reading("key") == b"what it came to"
    assert store.verify_audit() == ()


def test_what_another_run_stored_meanwhile_stays(store: Store):
    first, second = hold_all(store, "the first"), hold_all(store, "the second")
    first.store()
    second.store()
    assert store.texts("e").slice(E1, 0, 99) == "the first"
    assert actions(store) == ["case.begun", "evidence.read"]


@pytest.mark.parametrize("limit", ["HELD_BYTES", "HELD_SECONDS"])
def test_what_has_become_much_or_old_is_stored_before_the_case(
    store: Store, limit: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(held, limit, 0)
    holding = hold_all(store)
    assert store.reading("key") == b"what it came to"
    assert store.texts("e").slice(E1, 6, 12) == holding.texts().slice(E1, 6, 12) == "second"
    assert store.case("c1") is None


def test_a_text_too_large_to_be_held_is_stored_as_it_comes(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_writer, "HELD_CHARS", 12)
    holding = store.hold(EDITION)
    holding.begin_run("run", ["a"], BEGUN)
    read_into(holding, ["0123456789", "abcdefghij", "klmnopqrst"])
    assert store.run("run") is not None, "the run is there before its text"
    assert store.texts("e").slice(E1, 8, 22) == "89abcdefghijkl"
    assert holding.texts().slice(E1, 8, 22) == "89abcdefghijkl"


def test_an_original_past_the_limit_is_not_kept(url: str):
    with Store.open(url, limits=Limits(original_bytes=3)) as store:
        holding = store.hold(EDITION)
        holding.put_original(b"123")
        holding.put_original(b"1234")
        holding.store()
        assert (store.blob(digest_bytes(b"123")), store.blob(digest_bytes(b"1234"))) == (b"123", None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4), data=st.data())
def test_held_and_stored_read_alike(sqlite_url: str, texts: list[str], data: st.DataObject):
    whole = "".join(texts)
    start = data.draw(st.integers(-1, len(whole)))
    end = data.draw(st.integers(start, len(whole) + 2))
    with Store.open(sqlite_url + digest(repr(texts))[:12]) as store:
        holding = store.hold(EDITION)
        read_into(holding, texts)
        seen = holding.texts()

        def look() -> list[object]:
            return [
                seen.slice(E1, start, end),
                seen.place(E1, start, end),
                seen.length(E1),
                list(seen.chunks(E1)),
                seen.lines(E1, 1, 9, 5),
                seen.line_at(E1, start),
            ]

        before = look()
        assert seen.length(E1) == len(whole)
        holding.store()
        assert look() == before

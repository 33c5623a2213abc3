import os
import re
import sqlite3
import stat
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from casemate.audit import NewAuditEvent
from casemate.core.assessment import Disposition
from casemate.core.case import State
from casemate.core.errors import CasemateError, StoreFailed, WrongUsage
from casemate.core.marking import Marking
from casemate.policy import Limits
from casemate.store import Store

from .samples import NOW, behind, case, digest, reviewed, saved


def actions(store: Store) -> list[tuple[str, str]]:
    return [(event.action, event.subject) for event in store.audit_events()]


def test_a_case_is_kept_with_its_line_and_its_event(store: Store) -> None:
    assert store.save_case(case(), saved())
    assert store.case("c1") == case()
    assert store.case("c2") is None
    (line,) = store.cases()
    assert (line.id, line.title, line.created) == ("c1", "Brute force on ssh", NOW)
    assert (line.state, line.marking, line.disposition) == (
        State.DRAFT,
        Marking.AMBER_STRICT,
        Disposition.TRUE_POSITIVE,
    )
    assert (line.priority, line.revision) == (2, 1)
    assert actions(store) == [("case-saved", "c1")]
    assert store.verify_audit() == ()


def test_saving_the_same_case_again_does_nothing(store: Store) -> None:
    assert store.save_case(case(), saved())
    assert not store.save_case(case(), saved())
    assert len(actions(store)) == 1


def test_a_new_draft_replaces_the_old_one_and_both_are_in_the_history(store: Store) -> None:
    store.save_case(case(), saved())
    assert store.save_case(case(title="Better"), saved())
    assert store.case("c1") == case(title="Better")
    assert len(store.history("c1")) == 2
    assert store.verify_audit() == ()


def test_a_reviewed_case_is_replaced_by_no_draft(store: Store) -> None:
    store.save_case(case(), saved())
    store.add_review(reviewed(case()), 1, saved("Ada"))
    assert not store.save_case(case(title="Better"), saved())
    assert store.case("c1") == reviewed(case())


def test_a_review_changes_case_line_and_chain_together(store: Store) -> None:
    store.save_case(case(), saved())
    assert store.case_at("c1") == (case(), 1)
    assert store.add_review(reviewed(case()), 1, NewAuditEvent("Ada", "case-reviewed", "c1")) == 2
    assert store.case_at("c1") == (reviewed(case()), 2)
    (line,) = store.cases(state=State.CLOSED)
    assert (line.disposition, line.revision) == (Disposition.FALSE_POSITIVE, 2)
    assert [(event.actor, event.action) for event in store.history("c1")] == [
        ("casemate", "case-saved"),
        ("Ada", "case-reviewed"),
    ]
    assert store.verify_audit() == ()


def test_of_two_reviewers_the_second_is_told(store: Store) -> None:
    store.save_case(case(), saved())
    store.add_review(reviewed(case(), "Ada"), 1, saved("Ada"))
    with pytest.raises(WrongUsage, match="somebody else") as caught:
        store.add_review(reviewed(case(), "Bob"), 1, saved("Bob"))
    assert caught.value.way_out
    assert store.case("c1") == reviewed(case(), "Ada")
    assert len(actions(store)) == 2


def test_a_review_of_a_draft_that_was_replaced_is_told(store: Store) -> None:
    store.save_case(case(), saved())
    store.save_case(case(title="Better"), saved())
    with pytest.raises(WrongUsage, match="somebody else"):
        store.add_review(reviewed(case()), 1, saved("Ada"))


def test_a_review_of_no_case_is_told(store: Store) -> None:
    with pytest.raises(WrongUsage, match="no case"):
        store.add_review(reviewed(case()), 1, saved("Ada"))
    with pytest.raises(WrongUsage, match="was decided on"):
        store.save_case(reviewed(case()), saved())


def test_lists_are_newest_first_paged_and_filtered(store: Store) -> None:
    for number in range(5):
        store.save_case(case(f"c{number}", age=number), saved())
    store.add_review(reviewed(case("c3", age=3)), 1, saved("Ada"))
    assert [line.id for line in store.cases(limit=2, offset=1)] == ["c1", "c2"]
    assert [line.id for line in store.cases(state=State.DRAFT)] == ["c0", "c1", "c2", "c4"]
    assert (store.count_cases(), store.count_cases(State.CLOSED)) == (5, 1)


def test_a_reading_stays_as_it_was_first_kept(store: Store) -> None:
    event = NewAuditEvent("casemate", "evidence-read", "e1", (("bytes", "4"),))
    assert store.reading("k") is None
    assert store.save_reading("k", b"data", event)
    assert not store.save_reading("k", b"other", event)
    assert store.reading("k") == b"data"
    assert store.history("e1")[0].body == (("bytes", "4"), ("stored-sha256", digest("data")))


def test_a_run_resumes_where_it_stopped(store: Store) -> None:
    begun = NewAuditEvent("casemate", "run-begun", "r")
    read = NewAuditEvent("casemate", "evidence-read", "e")
    assert store.run("r") is None
    assert store.begin_run("r", ["a", "b", "a"], begun).inputs == ("a", "b")
    store.save_reading("ka", b"1", read, "r", "a")
    assert store.begin_run("r", ["a", "b"], begun).done == (("a", "ka"),)
    store.save_reading("ka", b"1", read, "r", "b")  # the same bytes under another name
    store.save_case(case(), saved(), run="r")
    run = store.run("r")
    assert run is not None
    assert (run.done, run.case) == ((("a", "ka"), ("b", "ka")), "c1")
    assert [action for action, _subject in actions(store)] == ["run-begun", "evidence-read", "case-saved"]


def test_what_fails_inside_a_change_undoes_all_of_it(store: Store) -> None:
    read = NewAuditEvent("casemate", "evidence-read", "e")
    with pytest.raises(WrongUsage, match="no input"):
        store.save_reading("k", b"1", read, "r", "a")
    with pytest.raises(WrongUsage, match="no run"):
        store.save_case(case(), saved(), run="r")
    assert store.reading("k") is None
    assert store.case("c1") is None
    assert actions(store) == []


def test_originals_are_kept_by_digest_up_to_the_limit(url: str) -> None:
    with Store.open(url, limits=Limits(original_bytes=10)) as store:
        name = store.put_blob(b"0123456789")
        assert name == digest("0123456789")
        assert store.put_blob(b"0123456789") == name
        assert store.blob(name) == b"0123456789"
        assert store.put_blob(b"0123456789a") is None
        assert store.blob(digest("0123456789a")) is None


def test_hostile_names_are_stored_as_data(store: Store) -> None:
    name = "'; DROP TABLE cases; --\x00\udc80\x1b[2J"
    assert store.save_case(replace(case(name), title=name), saved(name))
    assert store.case(name) is not None
    carried = name.replace("\udc80", "\ufffd").replace("\x00", "\ufffd")  # PostgreSQL's text holds no NUL
    assert store.cases()[0].title == carried
    assert store.begin_run("r", [name], saved(name)).inputs == (carried,)
    assert store.history(name)
    assert store.verify_audit() == ()


def test_a_database_that_kept_nul_as_it_was_is_still_whole(sqlite_url: str) -> None:
    name = "an older\x00name"
    with Store.open(sqlite_url) as store:
        store.save_case(replace(case(), title=name), saved())
        with behind(sqlite_url) as connection:
            connection.exec_driver_sql("UPDATE cases SET title = ?", (name,))
        assert store.verify_audit() == ()


def test_the_file_is_for_its_owner_only_and_in_wal_mode(sqlite_url: str, tmp_path: Path) -> None:
    Store.open(sqlite_url).close()
    path = tmp_path / "home" / "casemate.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_what_was_kept_is_there_when_opened_again(url: str) -> None:
    with Store.open(url) as store:
        store.save_case(case(), saved())
    with Store.open(url) as store:
        assert store.case("c1") == case()
        store.save_case(case("c2"), saved())
        assert store.verify_audit() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://localhost/x",
        "postgresql+psycopg2://localhost/x",
        "postgresql://localhost",
        "postgresql://ada:s3cret@localhost:port/x",
        "://ada:s3cret@localhost/x",
    ],
)
def test_a_url_of_another_kind_is_wrong_usage(wrong: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        Store.open(wrong)
    assert re.search(r"sqlite:///PATH|postgresql://USER", caught.value.way_out)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database\n" * 100)
    with pytest.raises(StoreFailed, match=r"notes\.txt") as caught:
        Store.open(f"sqlite:///{path}")
    assert "name another" in caught.value.way_out
    assert path.read_text().startswith("these are my notes")


def test_a_damaged_database_is_named(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        for number in range(40):
            store.save_case(case(f"c{number}"), saved())
    path = tmp_path / "home" / "casemate.db"
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreFailed, match=r"casemate\.db") as caught:
        Store.open(sqlite_url).cases()
    assert "backup" in caught.value.way_out


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").mkdir()
    with pytest.raises(StoreFailed, match=r"x\.db") as caught:
        Store.open(f"sqlite:///{tmp_path}/x.db")
    assert caught.value.way_out


def test_a_database_that_somebody_else_keeps_locked_is_named(url: str) -> None:
    with Store.open(url, limits=Limits(store_wait_seconds=0.05)) as store, Store.open(url) as other:
        with other._database.writing():
            with pytest.raises(StoreFailed, match="lock") as caught:
                store.save_case(case(), saved())
            assert "another process" in caught.value.way_out
            assert store.cases() == ()  # reading goes on
            with Store.open(url) as reader:
                assert reader.count_cases() == 0
        assert store.save_case(case(), saved())


def test_a_database_of_a_newer_casemate_is_left_alone(store: Store, url: str) -> None:
    store.close()
    with behind(url) as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
    with pytest.raises(CasemateError, match="99") as caught:
        Store.open(url)
    assert "newer" in caught.value.way_out


def test_a_store_opened_to_read_is_not_made_and_not_changed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/home/casemate.db"
    assert Store.open_to_read(url) is None
    assert not (tmp_path / "home").exists()
    with Store.open(url) as store:
        store.save_case(case(), saved(), ())
    before = (tmp_path / "home/casemate.db").read_bytes()
    reading = Store.open_to_read(url)
    assert reading is not None
    with reading:
        assert reading.case("c1") == case()
        with pytest.raises(StoreFailed, match="opened to read"):
            reading.record(saved())
    assert (tmp_path / "home/casemate.db").read_bytes() == before

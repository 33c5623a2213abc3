"""Databases as earlier releases made them, with something in them, come up to today's layout with all of it."""

import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from casemate.core.case import State
from casemate.core.cost import Cost
from casemate.core.digest import digest_bytes
from casemate.core.errors import StoreFailed
from casemate.core.marking import Marking
from casemate.store import CaseQuery, GroupQuery, Store
from casemate.store.migrations import BOARD_TABLES, STEPS
from tests.store.make_layout import MODEL, TEXT, fill

from .samples import NOW, behind, case, reviewed, saved

LAYOUTS = Path(__file__).parent / "layouts"
NEWEST = 1 + len(STEPS)
OLDER = range(1, NEWEST)


def older(tmp_path: Path, layout: int) -> tuple[Path, bytes]:
    text = (LAYOUTS / f"{layout}.sql").read_text("utf-8")
    key = next(line for line in text.splitlines() if line.startswith("-- key "))
    file = tmp_path / "casemate.sqlite"
    with closing(sqlite3.connect(file)) as old:
        old.executescript(text)
    return file, key.removeprefix("-- key ").replace("|", "\n").encode()


def layout_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute("SELECT max(version) FROM schema_version").fetchone()[0])


def test_there_is_a_database_of_every_layout_before_today() -> None:
    there = {int(file.stem) for file in LAYOUTS.glob("*.sql")}
    assert there == set(range(1, NEWEST)), "`python -m tests.store.make_layout` writes that of a release"


@pytest.mark.parametrize("layout", OLDER)
def test_everything_that_an_older_release_kept_is_there_after_the_upgrade(tmp_path: Path, layout: int) -> None:
    file, key = older(tmp_path, layout)
    with Store.open(f"sqlite:///{file}") as store:
        # Its chain was signed elsewhere: the checkpoints that were kept in it verify, those outside stayed there.
        assert {fault.code for fault in store.verify_audit(key)} == {"checkpoint-missing"}
        assert store.case("c1") == reviewed(case("c1"))
        assert store.case("c2") == case("c2", "Another one")
        assert [line.state for line in store.cases()].count(State.CLOSED) == 1
        texts = store.texts_of("c1")
        assert texts.slice(case().evidence[0].id, 0, 5) == ""
        evidence = digest_bytes(TEXT.encode())
        assert texts.slice(evidence, 3, 9) == "Failed"
        assert texts.lines(evidence, 1, 9, 99)[0].text == TEXT.strip()
        assert store.blob(evidence) == TEXT.encode()
        assert store.reading("r1") == b"what it came to"
        assert len(store.drafts("c1")) == (layout > 1)
        seen = store.cleared(Marking.RED)
        assert [line.id for line in seen.cases(CaseQuery(text="another"), 9).rows] == ["c2"]  # words, of old cases too
        people = ["ada"] * (layout > 2) + ["grace"] * (layout > 4)
        assert [person.name for person in store.people().accounts()] == people
        assert [group.count for group in seen.groups(GroupQuery(), 9).rows] == ([2] if layout > 2 else [])
        assert store.cursors().place("wazuh", "alerts.json") == ("4711" if layout > 3 else None)
        pushed = store.pushes().of("misp", "c1")
        assert [one.reference for one in pushed] == ["event 1"] * (layout > 3)
        assert store.save_case(case("c3"), saved())
    assert layout_of(file) == NEWEST


@pytest.mark.parametrize("layout", OLDER)
def test_the_board_counts_what_was_decided_and_asked_before_there_was_a_board(tmp_path: Path, layout: int) -> None:
    file, _key = older(tmp_path, layout)
    with Store.open(f"sqlite:///{file}") as store, Store.open(f"sqlite:///{tmp_path}/new/casemate.sqlite") as new:
        fill(new)
        board, today = (one.cleared(Marking.RED).board(7, NOW + timedelta(days=1)) for one in (store, new))
        assert board.makers == today.makers
        assert [(one.about, one.name, one.weeks[-1].agreed, one.weeks[-1].judged) for one in board.makers] == [
            ("disposition", "no language model", 0, 1),
            ("finding", "named: technique", 1, 1),
        ]
        assert board.decisions == today.decisions
        assert sum(day.decided for day in board.days) == 1
        assert board.unseen == today.unseen
        assert board.costs == (today.costs if layout > 3 else ())
        assert dict(today.costs) == {MODEL[:12]: Cost(2, 140, 60, 10, 2.5)}
        assert store.cleared(Marking.CLEAR).board(7, NOW + timedelta(days=1)).makers == ()
        store.look("c2", "ada")
        store.add_review(reviewed(case("c2", "Another one"), "ada"), 1, saved("ada"))
        again = store.cleared(Marking.RED).board(7, NOW + timedelta(days=1)).makers
        assert [(one.weeks[-1].agreed, one.weeks[-1].judged) for one in again] == [(0, 2), (2, 2)]


@pytest.mark.parametrize("layout", OLDER)
def test_a_copy_of_the_older_layout_is_kept(tmp_path: Path, layout: int) -> None:
    file, _key = older(tmp_path, layout)
    with closing(sqlite3.connect(file)) as before:
        rows = list(before.iterdump())
    for _time in range(2):
        with Store.open(f"sqlite:///{file}") as store:
            assert store.case("c1") is not None
    kept = file.with_name(f"casemate.sqlite.layout-{layout}")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with closing(sqlite3.connect(kept)) as copy:
        assert list(copy.iterdump()) == rows
    assert sorted(one.name for one in tmp_path.glob("*layout*")) == [kept.name]


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path) -> None:
    file, _key = older(tmp_path, 3)
    file.with_name("casemate.sqlite.layout-3.part").mkdir()  # stands for a folder that cannot be written to
    with pytest.raises(StoreFailed, match="no copy could be kept"):
        Store.open(f"sqlite:///{file}")
    assert layout_of(file) == 3


def test_an_older_program_leaves_a_newer_database_alone_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "casemate.sqlite"
    with Store.open(f"sqlite:///{file}") as store:
        fill(store)
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE schema_version SET version = version + 1")
        database.commit()
    for opened in (Store.open, Store.open_to_read):
        with pytest.raises(StoreFailed) as refused:
            opened(f"sqlite:///{file}")
        if opened is Store.open:
            assert f"layout {NEWEST + 1}, this casemate knows up to {NEWEST}" in refused.value.message
            assert "docs/howto/upgrade.md" in refused.value.way_out
    assert layout_of(file) == NEWEST + 1
    assert not list(tmp_path.glob("*.layout-*"))


def test_reading_alone_never_upgrades(tmp_path: Path) -> None:
    file, _key = older(tmp_path, 3)
    with pytest.raises(StoreFailed, match="opened to read"):
        Store.open_to_read(f"sqlite:///{file}")
    assert layout_of(file) == 3


def test_a_server_of_the_first_layout_it_could_have_is_brought_up_with_what_is_in_it(postgres_url: str) -> None:
    with Store.open(postgres_url) as store:
        fill(store)
        before = store.cleared(Marking.RED).board(7, NOW + timedelta(days=1))
    with behind(postgres_url) as connection:  # PostgreSQL came in with layout 4
        for table in (*BOARD_TABLES, "pending_sign_ins", "identities"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE schema_version SET version = 4")
    with Store.open(postgres_url) as store:
        after = store.cleared(Marking.RED).board(7, NOW + timedelta(days=1))
        assert (after.makers, after.decisions, after.costs) == (before.makers, before.decisions, before.costs)
        assert len(after.makers) == 2
        assert dict(after.costs) == {MODEL[:12]: Cost(2, 140, 60, 10, 2.5)}
        assert store.verify_audit() == ()
        with behind(postgres_url) as connection:
            assert connection.exec_driver_sql("SELECT version FROM schema_version").scalar_one() == NEWEST

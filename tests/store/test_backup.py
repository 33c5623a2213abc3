import json
import shutil
import sqlite3
import stat
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from casemate.audit import verify_export
from casemate.core.errors import NotTrusted, StoreFailed, WrongUsage
from casemate.policy import Limits
from casemate.store import Store
from casemate.store.backup import back_up, put_back, read_manifest, tell_restore

from .samples import case, saved

LIMITS = Limits()


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Store.open(url_of(tmp_path / "home/casemate.sqlite")) as store:
        store.save_case(case("c1"), saved())
        store.save_case(case("c2"), saved())
    return tmp_path / "home"


def backed_up(home: Path, to: Path, policy: Path | None = None) -> Path:
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        back_up(store, to, policy, "ada", LIMITS)
    return to


def restored(folder: Path, home: Path, *, replace: bool = True) -> tuple[int, int]:
    done = put_back(folder, home / "casemate.sqlite", replace=replace, actor="ada", limits=LIMITS)
    return done.manifest.event, done.reached


def test_a_backup_holds_everything_verifies_and_is_for_its_owner_only(home: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('default_marking = "red"\n')
    folder = backed_up(home, tmp_path / "copy", policy)
    manifest = read_manifest(folder)
    assert manifest.event == 3  # two cases, and that the store was copied
    assert sorted(manifest.files) == [
        "audit/checkpoints.jsonl", "audit/key", "audit/key.pub", "casemate.sqlite", "policy.toml"
    ]  # fmt: skip
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.rglob("*"):
        assert stat.S_IMODE(file.stat().st_mode) == (0o700 if file.is_dir() else 0o600)
    with pytest.raises(WrongUsage, match="not empty"):
        backed_up(home, folder)


def test_what_is_put_back_is_what_was_backed_up(home: Path, tmp_path: Path) -> None:
    folder = backed_up(home, tmp_path / "copy")
    shutil.rmtree(home)
    assert restored(folder, home, replace=False) == (3, 3)
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        assert store.case("c1") == case("c1")
        assert store.verify_audit() == ()
        last = list(store.audit_events())[-1]
        assert last.action == "store.restored"
        assert tell_restore(last).endswith("put the store back to event 3")
        assert store.save_case(case("c3"), saved())


def test_a_restored_older_state_is_told_apart_from_a_chain_that_was_cut(home: Path, tmp_path: Path) -> None:
    folder = backed_up(home, tmp_path / "copy")
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        store.save_case(case("c3"), saved())
        store.save_case(case("c4"), saved())
        public_key = store.public_key
    lines = (home / "audit/checkpoints.jsonl").read_text()
    by_hand = tmp_path / "by-hand"
    shutil.copytree(home, by_hand)
    for file in by_hand.glob("casemate.sqlite*"):
        file.unlink()
    shutil.copy(folder / "casemate.sqlite", by_hand / "casemate.sqlite")
    with Store.open(url_of(by_hand / "casemate.sqlite")) as store:
        assert {fault.code for fault in store.verify_audit()} == {"chain-cut"}
        store.save_case(case("c5"), saved())
        assert {fault.code for fault in store.verify_audit()} == {"chain-cut", "checkpoint-differs"}
    assert restored(folder, home) == (3, 5)
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        assert store.verify_audit() == ()
        told = [one for event in store.audit_events() if (one := tell_restore(event))]
        assert len(told) == 1
        assert "put the store back to event 3; events 4 to 5 of before are gone" in told[0]
        with (tmp_path / "export").open("wb") as out:
            store.export_audit(out)
    kept = next((home / "audit").glob("checkpoints.jsonl.before-*"))
    assert kept.read_text() == lines
    assert kept.name in told[0]
    with (tmp_path / "export").open("rb") as exported:
        assert verify_export(exported, public_key) == ()


def test_nothing_that_was_there_is_lost(home: Path, tmp_path: Path) -> None:
    folder = backed_up(home, tmp_path / "copy")
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        store.save_case(case("c3"), saved())
    with pytest.raises(WrongUsage, match="is there"):
        restored(folder, home, replace=False)
    restored(folder, home)
    before = next(home.glob("casemate.sqlite.before-*"))
    rows = sqlite3.connect(before).execute("SELECT id FROM cases ORDER BY id").fetchall()
    assert rows == [("c1",), ("c2",), ("c3",)]


def test_looking_into_what_was_set_aside_leaves_the_store_as_it_is(home: Path, tmp_path: Path) -> None:
    folder = backed_up(home, tmp_path / "copy")
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        store.save_case(case("c3"), saved())
        store.save_case(case("c4"), saved())
    restored(folder, home)
    (aside,) = home.glob("casemate.sqlite.before-*")
    with Store.open(url_of(aside)) as before:
        assert before.case("c4") == case("c4")
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        assert store.verify_audit() == ()


def test_a_database_in_use_is_left_alone(home: Path, tmp_path: Path) -> None:
    folder = backed_up(home, tmp_path / "copy")
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        assert store.case("c1") is not None
        with pytest.raises(WrongUsage, match="in use"):
            restored(folder, home)
        assert store.save_case(case("c3"), saved())
        assert store.verify_audit() == ()


def test_a_damaged_database_is_replaced(home: Path, tmp_path: Path) -> None:
    folder = backed_up(home, tmp_path / "copy")
    for file in home.glob("casemate.sqlite*"):
        file.write_bytes(b"no database" * 1000)
    restored(folder, home)
    with Store.open(url_of(home / "casemate.sqlite")) as store:
        assert store.case("c2") == case("c2")


def test_a_key_of_another_installation_is_kept_aside(home: Path, tmp_path: Path) -> None:
    folder = backed_up(home, tmp_path / "copy")
    other = tmp_path / "other"
    with Store.open(url_of(other / "casemate.sqlite")) as store:
        store.save_case(case("o1"), saved())
    key = (other / "audit/key").read_bytes()
    restored(folder, other)
    assert next(other.glob("audit.before-*/key")).read_bytes() == key
    with Store.open(url_of(other / "casemate.sqlite")) as store:
        assert store.verify_audit() == ()
        assert store.case("o1") is None


@pytest.mark.parametrize(
    "change", ["database", "manifest", "missing", "unnamed", "outside", "absolute", "hostile", "newer"]
)
def test_a_backup_that_is_not_what_it_says_is_refused_before_anything_is_moved(
    home: Path, tmp_path: Path, change: str
) -> None:
    folder = backed_up(home, tmp_path / "copy")
    manifest = json.loads((folder / "manifest.json").read_text())
    if change == "database":
        with (folder / "casemate.sqlite").open("ab") as file:
            file.write(b"x")
    elif change == "manifest":
        (folder / "manifest.json").write_text("[]")
    elif change == "missing":
        (folder / "audit/key").unlink()
    elif change == "unnamed":
        del manifest["files"]["audit/key"]
        (folder / "audit/key").unlink()
    elif change == "outside":
        manifest["files"]["../../etc/passwd"] = "0" * 64
    elif change == "absolute":
        manifest["database"] = "/etc/passwd"
        manifest["files"]["/etc/passwd"] = sha256(Path("/etc/passwd").read_bytes()).hexdigest()
    elif change == "hostile":
        manifest["time"] = "\x1b]0;owned\x07"
    else:
        manifest["layout"] += 1
    if change in {"unnamed", "outside", "absolute", "hostile", "newer"}:
        (folder / "manifest.json").write_text(json.dumps(manifest))
    before = sorted(home.rglob("*"))
    with pytest.raises(StoreFailed if change == "newer" else NotTrusted):
        restored(folder, home)
    assert sorted(home.rglob("*")) == before


def test_a_backup_under_load_is_one_state_that_verifies(home: Path, tmp_path: Path) -> None:
    over = threading.Event()

    def write() -> None:
        with Store.open(url_of(home / "casemate.sqlite")) as store:
            number = 0
            while not over.is_set():
                number += 1
                store.save_case(case(f"w{number}"), saved())

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        copies = [backed_up(home, tmp_path / f"copy{number}") for number in range(3)]
    finally:
        over.set()
        writer.join(60)
    assert not writer.is_alive()
    reached = [read_manifest(copy).event for copy in copies]
    assert reached == sorted(reached)
    restored(copies[1], tmp_path / "new")

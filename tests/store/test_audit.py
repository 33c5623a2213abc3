import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from casemate.audit import GENESIS, NewAuditEvent, event_line, link, read_event, verify_export
from casemate.core.errors import NotTrusted
from casemate.core.feature import Feature
from casemate.store import Store
from casemate.store.tables import audit

from .samples import behind, case, reviewed, saved

TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture
def written(store: Store) -> Store:
    return fill(store)


def fill(store: Store) -> Store:
    for number in range(4):
        store.save_case(case(f"c{number}"), saved(), [Feature("technique", "T1110")])
    store.add_review(reviewed(case("c2")), 1, saved("Ada"))
    store.record(NewAuditEvent("Ada", "case-exported", "c2", (("format", "stix"),)))
    assert store.verify_audit() == ()
    return store


def codes(store: Store) -> set[tuple[int, str]]:
    return {(fault.number, fault.code) for fault in store.verify_audit()}


def test_an_edited_event_is_found(written: Store, url: str) -> None:
    with behind(url) as connection:
        connection.exec_driver_sql("UPDATE audit SET line = replace(line, '\"casemate\"', '\"Eve\"') WHERE number = 2")
    assert codes(written) == {(2, "event-changed")} | {(2, "checkpoint-differs")}


def test_deleted_events_are_found(written: Store, url: str) -> None:
    with behind(url) as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE number = 3")
    assert (3, "number-wrong") in codes(written)


def test_swapped_events_are_found(written: Store, url: str) -> None:
    with behind(url) as connection:
        connection.exec_driver_sql("UPDATE audit SET number = 100 WHERE number = 2")
        connection.exec_driver_sql("UPDATE audit SET number = 2 WHERE number = 3")
        connection.exec_driver_sql("UPDATE audit SET number = 3 WHERE number = 100")
    assert {(2, "number-wrong"), (2, "row-changed")} <= codes(written)


def test_a_cut_tail_is_found_by_the_head_in_the_database(written: Store, url: str) -> None:
    with behind(url) as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE number > 5")
    assert {(6, "chain-cut"), (5, "head-changed")} <= codes(written)


def cut(connection: Connection) -> None:
    """Take the last event away and everything in the database that speaks of it."""
    connection.exec_driver_sql("DELETE FROM audit WHERE number > 5")
    connection.exec_driver_sql("DELETE FROM audit_checkpoints WHERE number > 5")
    (line,) = connection.exec_driver_sql("SELECT line FROM audit WHERE number = 5").one()
    connection.exec_driver_sql(f"UPDATE audit_head SET number = 5, digest = '{json.loads(line)['digest']}'")


def test_a_cut_tail_is_found_by_the_checkpoints_outside(written: Store, url: str) -> None:
    with behind(url) as connection:
        cut(connection)
    assert codes(written) == {(6, "chain-cut")}


def test_the_chain_goes_on_from_its_head_so_that_a_cut_stays_visible(written: Store, url: str) -> None:
    with behind(url) as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE number > 5")
    written.record(NewAuditEvent("Ada", "case-exported", "c2"))
    assert (6, "number-wrong") in codes(written)


def test_a_chain_recomputed_as_a_whole_is_found(written: Store, url: str) -> None:
    with behind(url) as connection:
        previous = GENESIS
        for number, line in connection.exec_driver_sql("SELECT number, line FROM audit ORDER BY number").all():
            event = read_event(line)
            forged = link(previous, number, event.time, "Eve", event.action, event.subject, event.body)
            previous = forged.digest
            connection.execute(update(audit).where(audit.c.number == number).values(line=event_line(forged)))
        connection.exec_driver_sql(f"UPDATE audit_head SET digest = '{previous}'")
        connection.exec_driver_sql("DELETE FROM audit_checkpoints")
    assert codes(written) == {(number, "checkpoint-differs") for number in range(1, 7)}


def test_a_database_put_back_to_an_earlier_day_is_found(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        fill(store)
    path = tmp_path / "home" / "casemate.db"
    earlier = path.read_bytes()
    with Store.open(sqlite_url) as store:
        store.save_case(case("c9"), saved())
    for name in ("casemate.db-wal", "casemate.db-shm"):
        (tmp_path / "home" / name).unlink(missing_ok=True)
    path.write_bytes(earlier)
    with Store.open(sqlite_url) as store:
        assert codes(store) == {(7, "chain-cut")}


def test_a_new_database_in_place_of_the_old_one_is_found(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        fill(store)
    for path in (tmp_path / "home").glob("casemate.db*"):
        path.unlink()
    with Store.open(sqlite_url) as store:
        assert codes(store) == {(1, "chain-cut")}
        store.save_case(case(), saved())
        assert {(1, "checkpoint-differs"), (2, "chain-cut")} == codes(store)


def test_two_databases_with_one_audit_folder_do_not_disturb_each_other(written: Store, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/home/other.db") as other:
        other.save_case(case("x"), saved())
        assert other.verify_audit() == ()
    assert written.verify_audit() == ()


def test_removed_checkpoints_outside_are_found(written: Store, tmp_path: Path) -> None:
    (tmp_path / "home" / "audit" / "checkpoints.jsonl").write_text("")
    assert codes(written) == {(6, "checkpoint-missing")}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cases SET title = 'harmless' WHERE id = 'c1'",
        "UPDATE cases SET state = 'closed' WHERE id = 'c1'",
        "UPDATE cases SET disposition = 'false-positive' WHERE id = 'c1'",
        "UPDATE cases SET digest = 'x' WHERE id = 'c1'",
        "UPDATE cases SET data = (SELECT key FROM features LIMIT 1) WHERE id = 'c1'",
        "UPDATE cases SET data = (SELECT data FROM cases WHERE id = 'c0') WHERE id = 'c1'",
    ],
)
def test_a_case_changed_behind_the_chain_is_found(written: Store, url: str, statement: str) -> None:
    with behind(url) as connection:
        connection.exec_driver_sql(statement)
    assert codes(written) == {(2, "case-changed")}


def test_removed_and_smuggled_cases_are_found(written: Store, url: str) -> None:
    with behind(url) as connection:
        connection.exec_driver_sql("UPDATE cases SET id = 'c77' WHERE id = 'c1'")
    assert codes(written) == {(2, "case-missing"), (0, "case-unaudited")}


def test_an_unreadable_row_stops_a_reader_and_is_named(written: Store, url: str) -> None:
    with behind(url) as connection:
        connection.exec_driver_sql("UPDATE audit SET line = 'x' WHERE number = 2")
    with pytest.raises(NotTrusted, match="event 2"):
        list(written.audit_events())
    assert (2, "line-unreadable") in codes(written)


def test_an_exported_chain_verifies_alone(written: Store) -> None:
    out = io.BytesIO()
    assert written.export_audit(out) == 6
    assert verify_export(io.BytesIO(out.getvalue()), written.public_key) == ()
    changed = out.getvalue().replace(b'"Ada"', b'"Bob"', 1)
    assert verify_export(io.BytesIO(changed), written.public_key)


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from store.samples import case, saved
from casemate.store import Store
from casemate.core.feature import Feature
store = Store.open(sys.argv[1])
for number in range(int(sys.argv[4])):
    name = f"{sys.argv[2]}-{number}"
    store.save_case(case(name), saved(), [Feature("technique", f"T{n}") for n in range(20)])
    print(name, flush=True)
"""


def start_writer(url: str, name: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, url, name, str(TESTS), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_processes_that_write_at_once_do_not_fork_the_chain(url: str) -> None:
    writers = [start_writer(url, name, 12) for name in ("a", "b", "c")]
    for writer in writers:
        writer.communicate(timeout=250)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with Store.open(url) as store:
        assert store.verify_audit() == ()
        events = list(store.audit_events())
        assert [event.number for event in events] == list(range(1, 37))
        assert {event.subject for event in events} == {f"{name}-{n}" for name in "abc" for n in range(12)}


@pytest.mark.slow
def test_a_killed_writer_leaves_all_or_nothing(url: str) -> None:
    chance = random.Random(7)
    told: set[str] = set()
    for attempt in range(6):
        writer = start_writer(url, f"w{attempt}", 100_000)
        assert writer.stdout is not None
        told.add(writer.stdout.readline().strip())  # it is at work now
        time.sleep(chance.uniform(0, 0.15))
        os.kill(writer.pid, signal.SIGKILL)
        told.update(writer.stdout.read().split())
        writer.wait(60)
        writer.stdout.close()
        with Store.open(url) as store:
            assert store.verify_audit() == ()
            lines = {line.id for line in store.cases(limit=1_000_000)}
            assert {event.subject for event in store.audit_events()} == lines
    assert told <= lines


FILLER = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from store.samples import case, saved
from casemate.core.errors import StoreFailed
from casemate.store import Store
store = Store.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
number = 0
try:
    while number < 10_000:
        store.save_case(case(f"c{number}", title=str(number) * 200), saved())
        number += 1
except StoreFailed as error:
    print(number, error.message, "|", error.way_out)
"""


@pytest.mark.slow
def test_a_full_disk_is_named_and_nothing_half_done_is_kept(sqlite_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLER, sqlite_url, str(TESTS)], capture_output=True, text=True, check=True
    ).stdout
    kept = int(done.split()[0])
    assert "casemate.db" in done
    assert "room" in done
    with Store.open(sqlite_url) as store:
        assert store.verify_audit() == ()
        assert store.count_cases() == kept
        assert store.save_case(case("after"), saved())


def test_a_checkpoint_that_cannot_be_written_stops_nothing_and_is_written_later(
    store: Store, url: str, tmp_path: Path
) -> None:
    path = tmp_path / "home" / "audit" / "checkpoints.jsonl"
    path.mkdir()
    assert store.save_case(case(), saved())
    assert store.case("c1") == case()
    behind = store.unwritten()
    assert behind is not None
    assert "is saved" in behind.message
    with Store.open(url) as other:  # nor is anybody kept from opening it
        assert other.unwritten() is not None
    path.rmdir()
    assert store.unwritten() is None, "asking tries again"
    assert store.verify_audit() == ()
    assert len(path.read_text().splitlines()) == 1


def test_the_next_checkpoint_stands_for_the_ones_that_could_not_be_written(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "home" / "audit" / "checkpoints.jsonl"
    path.mkdir()
    for number in range(3):
        assert store.save_case(case(f"c{number}"), saved())
    path.rmdir()
    assert store.save_case(case("c3"), saved())
    assert store.unwritten() is None
    assert len(path.read_text().splitlines()) == 1
    assert store.verify_audit() == ()


def test_who_only_reads_sees_that_the_file_is_behind_and_writes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "home" / "audit" / "checkpoints.jsonl"
    with Store.open(sqlite_url) as store:
        store.save_case(case(), saved())
    for there in (True, False):
        with Store.open_to_read(sqlite_url) or store as seen:
            behind = seen.unwritten()
            assert (behind is None) == there
        path.write_text("")
    assert behind is not None
    assert "event 1" in behind.message
    assert "nothing is lost" in behind.way_out
    assert path.read_text() == ""


def test_a_checkpoint_that_a_crash_swallowed_is_written_at_the_next_opening(
    written: Store, url: str, tmp_path: Path
) -> None:
    written.close()
    path = tmp_path / "home" / "audit" / "checkpoints.jsonl"
    whole = path.read_text()
    path.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    with Store.open(url) as store:
        assert path.read_text() == whole
        assert store.verify_audit() == ()

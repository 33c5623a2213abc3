"""A watched folder: whole files only, each once, by what is in it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from casemate.connectors.feed import Feed
from casemate.connectors.folder import FolderSource
from casemate.connectors.settings import FolderSettings
from casemate.core.errors import ConnectorFailed
from casemate.policy import Limits
from casemate.store import Store

from .conftest import Taken


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def source(inbox: Path, limits: Limits | None = None, **more: object) -> FolderSource:
    settings = FolderSettings(name="test", path=str(inbox), settle=0.02, **more)  # type: ignore[arg-type]
    return FolderSource(settings, limits or Limits())


def test_a_file_is_taken_once_by_its_bytes(inbox: Path, make_feed: Callable[..., Feed], taken: Taken):
    (inbox / "a.txt").write_bytes(b"one\n")
    (inbox / "b.txt").write_bytes(b"two\n")
    one = source(inbox)
    one.round(make_feed())
    (inbox / "same-as-a.txt").write_bytes(b"one\n")
    one.round(make_feed())
    source(inbox).round(make_feed())  # as after a restart
    assert sorted(taken.alerts()) == [("a.txt", b"one\n"), ("b.txt", b"two\n")]
    assert sorted(file.name for file in inbox.iterdir()) == ["a.txt", "b.txt", "same-as-a.txt"]


def test_json_lines_are_alerts_each(inbox: Path, make_feed: Callable[..., Feed], taken: Taken):
    lines = [json.dumps({"n": number}).encode() for number in range(7)]
    (inbox / "alerts.jsonl").write_bytes(b"\n".join(lines))
    source(inbox, Limits(batch_alerts=3)).round(make_feed())
    assert sorted(data for _name, data in taken.alerts()) == lines


def test_a_restart_goes_on_behind_the_last_batch(
    inbox: Path, make_feed: Callable[..., Feed], taken: Taken, store: Store
):
    lines = [json.dumps({"n": number}).encode() for number in range(7)]
    (inbox / "alerts.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    few = Limits(batch_alerts=3, queue_jobs=1)  # full after the first batch
    source(inbox, few).round(make_feed(bounds=few))
    (place,) = store.cursors().of("test").values()
    assert json.loads(place) == {"lines": 3, "done": False}
    source(inbox).round(make_feed())
    assert sorted(data for _name, data in taken.alerts()) == lines


def test_taken_and_refused_files_are_moved_when_asked(inbox: Path, make_feed: Callable[..., Feed], taken: Taken):
    (inbox / "a.txt").write_bytes(b"one\n")
    (inbox / "link.txt").symlink_to("/etc/passwd")
    one = source(inbox, after="move")
    one.round(make_feed())
    (inbox / "a.txt").write_bytes(b"another\n")
    one.round(make_feed())
    assert sorted(data for _name, data in taken.alerts()) == [b"another\n", b"one\n"]
    assert not (inbox / "a.txt").exists()
    assert sorted(file.read_bytes() for file in (inbox / "taken").iterdir()) == [b"another\n", b"one\n"]
    assert [file.is_symlink() for file in (inbox / "refused").iterdir()] == [True]


def test_a_file_moved_by_a_crash_too_late_is_not_taken_again(inbox: Path, make_feed: Callable[..., Feed], taken: Taken):
    (inbox / "a.txt").write_bytes(b"one\n")
    source(inbox).round(make_feed())  # taken, not moved: as if the process had died in between
    source(inbox, after="move").round(make_feed())
    assert not (inbox / "a.txt").exists()
    assert len(taken.alerts()) == 1


@pytest.mark.parametrize("kind", ["symlink", "pipe", "dangling"])
def test_links_and_special_files_are_refused_and_told(
    inbox: Path, make_feed: Callable[..., Feed], taken: Taken, store: Store, kind: str
):
    if kind == "pipe":
        os.mkfifo(inbox / "x")
    else:
        (inbox / "x").symlink_to("/etc/passwd" if kind == "symlink" else "/nowhere")
    one = source(inbox)
    one.round(make_feed())
    one.round(make_feed())
    assert taken.alerts() == []
    assert taken.codes() == ["refused"]
    assert [event.action for event in store.audit_events()] == ["connector.refused"]


def test_what_is_still_being_written_waits(inbox: Path, make_feed: Callable[..., Feed], taken: Taken):
    feed = make_feed(patient=True)
    one = source(inbox)
    for name in ("a.part", ".hidden", "b.tmp"):
        (inbox / name).write_bytes(b"half")
    (inbox / "slow.txt").write_bytes(b"a")
    one.round(feed)
    for _ in range(3):  # it grows between any two looks
        with (inbox / "slow.txt").open("ab") as out:
            out.write(b"b")
        feed.stopping.wait(0.03)
        one.round(feed)
    assert taken.alerts() == []
    (inbox / "a.part").rename(inbox / "a.txt")
    one.round(feed)
    feed.stopping.wait(0.03)
    one.round(feed)
    assert sorted(taken.alerts()) == [("a.txt", b"half"), ("slow.txt", b"abbb")]


def test_a_file_that_is_too_large_is_refused(inbox: Path, make_feed: Callable[..., Feed], taken: Taken):
    (inbox / "big").write_bytes(b"x" * 100)
    source(inbox, Limits(upload_bytes=99)).round(make_feed())
    assert taken.codes() == ["refused"]


def test_hostile_names_are_shown_escaped(inbox: Path, make_feed: Callable[..., Feed], taken: Taken):
    name = os.fsdecode(b"a\x1b[31m\n\xff.log")
    (inbox / name).write_bytes(b"text\n")
    (inbox / f"l{name}").symlink_to("/etc/passwd")
    source(inbox, after="move").round(make_feed())
    ((shown, data),) = taken.alerts()
    assert data == b"text\n"
    assert shown.isprintable()
    assert taken.told[0][2].isprintable()
    assert len(list((inbox / "taken").iterdir())) == 1


def test_a_folder_that_is_gone_is_a_failure(tmp_path: Path, make_feed: Callable[..., Feed]):
    with pytest.raises(ConnectorFailed, match="No such file"):
        source(tmp_path / "nowhere").round(make_feed())


def test_real_evidence_dropped_into_the_folder_reaches_the_queue(
    inbox: Path, make_feed: Callable[..., Feed], taken: Taken
):
    examples = Path(__file__).resolve().parents[2] / "examples"
    for name in ("auth.log", "phish.eml"):
        (inbox / name).write_bytes((examples / name).read_bytes())
    source(inbox).round(make_feed())
    assert dict(taken.alerts()) == {name: (examples / name).read_bytes() for name in ("auth.log", "phish.eml")}

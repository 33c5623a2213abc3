"""A tailed file loses nothing and repeats nothing, whatever happens to its name, its end or the reader."""

import json
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casemate.audit import NewAuditEvent
from casemate.connectors.feed import Feed
from casemate.connectors.records import SuricataRecords, WazuhRecords
from casemate.connectors.settings import SuricataSettings, TailSettings, WazuhSettings
from casemate.connectors.tail import TailSource
from casemate.core.errors import ConnectorFailed
from casemate.policy import Limits
from casemate.store import Store

from .conftest import Taken

LIMITS = Limits(batch_alerts=3, record_bytes=4096, group_alerts=100_000, job_attempts=100)


def line(number: int) -> bytes:
    return json.dumps({"n": number, "message": "something happened on a host"}).encode()


def source(path: Path, keeps: Callable[[bytes], bool] = lambda _line: True, **more: object) -> TailSource:
    return TailSource(TailSettings(name="test", path=str(path), **more), LIMITS, keeps)  # type: ignore[arg-type]


def numbers(taken: Taken) -> list[int]:
    return sorted(json.loads(data)["n"] for _source, data in taken.alerts())


def append(path: Path, *some: int, end: bytes = b"\n") -> None:
    with path.open("ab") as file:
        file.write(b"\n".join(map(line, some)) + end)


def test_lines_are_taken_once_and_a_partial_last_one_waits(
    tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken
):
    file = tmp_path / "eve.json"
    append(file, 1, 2, 3, 4, 5, end=b"")
    source(file).round(make_feed())
    append(file, end=b"\n")
    append(file, 6)
    source(file).round(make_feed())
    source(file).round(make_feed())
    assert numbers(taken) == [1, 2, 3, 4, 5, 6]


def test_the_place_is_in_the_transaction_of_the_alerts(tmp_path: Path, make_feed: Callable[..., Feed], store: Store):
    file = tmp_path / "eve.json"
    append(file, 1, 2)
    source(file).round(make_feed())
    place = json.loads(store.cursors().of("test")[str(file)])
    assert place["offset"] == file.stat().st_size
    (event,) = [event for event in store.audit_events() if event.action == "evidence.received"]
    assert (event.actor, dict(event.body)["alerts"], dict(event.body)["marking"]) == ("connector:test", "2", "green")
    assert store.verify_audit() == ()


def test_a_first_look_may_begin_at_the_end(tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken):
    file = tmp_path / "eve.json"
    append(file, 1, 2)
    append(file, 3, end=b"")
    source(file, begin="end").round(make_feed())
    append(file, end=b"\n")
    source(file, begin="end").round(make_feed())
    assert numbers(taken) == [3]


def test_a_renamed_file_is_read_to_its_end(tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken):
    file, feed = tmp_path / "eve.json", make_feed()
    append(file, 1)
    one = source(file)
    one.round(feed)
    append(file, 2)
    file.rename(tmp_path / "eve.json.1")
    append(tmp_path / "eve.json.1", 3)  # the writer has not noticed yet
    one.round(feed)
    file.touch()
    one.round(feed)
    append(tmp_path / "eve.json.1", 4, end=b"")  # a last word without an end
    append(file, 5)
    one.round(feed)
    one.round(feed)
    assert numbers(taken) == [1, 2, 3, 4, 5]
    assert taken.told == []


def test_files_that_came_and_went_while_nobody_looked_are_read_in_order(
    tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken, store: Store
):
    file = tmp_path / "eve.json"
    append(file, 1)
    source(file).round(make_feed())
    now = file.stat().st_mtime_ns
    append(file, 2)
    for age, (old, new) in enumerate(
        [("eve.json", "eve.json.3"), ("eve.json", "eve.json.2"), ("eve.json", "eve.json.1")]
    ):
        (tmp_path / old).rename(tmp_path / new)
        os.utime(tmp_path / new, ns=(now, now + (age + 1) * 1_000_000))
        append(file, 10 + age)
    (tmp_path / "eve.json.link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "eve.json.pipe")
    one = source(file)
    one.round(make_feed())
    assert numbers(taken) == [1, 2, 10, 11, 12]
    order = [e for e in store.audit_events() if e.action == "evidence.received"]
    assert len(order) == 5


def test_truncation_with_a_copy_loses_nothing(tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken):
    file, feed = tmp_path / "eve.json", make_feed()
    append(file, 1, 2)
    one = source(file)
    one.round(feed)
    append(file, 3)
    (tmp_path / "eve.json.1").write_bytes(file.read_bytes())
    os.truncate(file, 0)
    append(file, *range(4, 60))  # longer than it was
    one.round(feed)
    assert numbers(taken) == list(range(1, 60))
    assert taken.told == []


def test_truncation_without_a_copy_is_told_and_audited(
    tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken, store: Store
):
    file, feed = tmp_path / "eve.json", make_feed()
    append(file, 1, 2)
    source(file).round(feed)
    os.truncate(file, 0)
    append(file, 3)
    source(file).round(feed)
    assert numbers(taken) == [1, 2, 3]
    assert taken.codes() == ["gap"]
    assert [event.action for event in store.audit_events()].count("connector.gap") == 1


def test_a_line_that_is_too_long_is_passed_over_and_told(tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken):
    file = tmp_path / "eve.json"
    append(file, 1)
    with file.open("ab") as more:
        more.write(b"x" * 3_000_000)
    one = source(file)
    one.round(make_feed())
    one.round(make_feed())
    assert taken.codes() == []  # it may still end
    append(file, end=b"\n")
    append(file, 2)
    one.round(make_feed())
    assert numbers(taken) == [1, 2]
    assert taken.codes() == ["passed-over"]


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_what_is_no_file_is_refused(tmp_path: Path, make_feed: Callable[..., Feed], what: str):
    file = tmp_path / "eve.json"
    if what == "link":
        file.symlink_to("/etc/passwd")
    elif what == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(ConnectorFailed):
        source(file).round(make_feed())


def test_a_file_that_is_not_there_yet_is_a_failure_and_no_more(
    tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken
):
    file = tmp_path / "eve.json"
    one = source(file)
    with pytest.raises(ConnectorFailed, match="not there"):
        one.round(make_feed())
    append(file, 1)
    one.round(make_feed())
    assert numbers(taken) == [1]


def test_a_full_queue_ends_the_round_and_nothing_is_lost(tmp_path: Path, make_feed: Callable[..., Feed], taken: Taken):
    file = tmp_path / "eve.json"
    append(file, *range(10))
    few = Limits(batch_alerts=3, queue_jobs=1)
    TailSource(TailSettings(name="test", path=str(file)), few, lambda _line: True).round(make_feed(bounds=few))
    assert taken.codes() == ["queue-full"]
    source(file).round(make_feed())
    assert numbers(taken) == list(range(10))


def test_only_alerts_of_the_named_kinds_are_kept():
    wazuh = WazuhRecords(WazuhSettings(name="w", path="a", least_level=7))
    assert [wazuh(text) for text in (b'{"rule":{"level":7}}', b'{"rule":{"level":6}}', b"no json", b'{"rule":1}')] == [
        True,
        False,
        True,
        True,
    ]
    suricata = SuricataRecords(SuricataSettings(name="s", path="a"))
    kinds = (b'{"event_type":"alert"}', b'{"event_type":"flow"}', b"\xff", b"[1]", b'{"event_type":["alert"]}')
    assert [suricata(text) for text in kinds] == [True, False, True, True, True]


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.sampled_from(["write", "part", "round", "restart", "rename", "copy"]), min_size=3, max_size=14),
    chance=st.randoms(),
)
def test_whatever_happens_every_line_is_taken_exactly_once(
    steps: list[str], chance: random.Random, tmp_path_factory: pytest.TempPathFactory
):
    import threading

    from casemate.core.marking import Marking

    folder = tmp_path_factory.mktemp("tail")
    file, written, rotated = folder / "eve.json", 0, 0
    file.touch()
    with Store.open(f"sqlite:///{folder}/store/c.sqlite", limits=LIMITS) as store:
        told: list[tuple[str, ...]] = []
        feed = Feed("t", Marking.GREEN, store, LIMITS, threading.Event(), lambda *what: told.append(what), False)
        one = source(file)
        one.round(feed)
        clock = file.stat().st_mtime_ns
        for step in [*steps, "round"]:
            clock += 1_000_000
            if step == "write" or (step == "part" and written == 0):
                count = chance.randint(1, 7)
                append(file, *range(written, written + count))
                written += count
            elif step == "part":
                half = line(written)
                with file.open("ab") as out:
                    out.write(half[:9])
                one.round(feed)
                with file.open("ab") as out:
                    out.write(half[9:] + b"\n")
                written += 1
            elif step == "round":
                one.round(feed)
            elif step == "restart":
                one.close()
                one = source(file)
            elif file.stat().st_size > 0:
                if step == "copy":
                    one.round(feed)  # a copy of a file of which nothing was read yet cannot be known again
                rotated += 1
                old = folder / f"eve.json.{rotated}"
                if step == "rename":
                    file.rename(old)
                else:
                    old.write_bytes(file.read_bytes())
                    os.truncate(file, 0)
                os.utime(old, ns=(clock, clock))
                append(file, written)
                written += 1
            os.utime(file, ns=(clock, clock))
        one.round(feed)
        one.close()
        assert numbers(Taken(store)) == list(range(written))
        store.record(NewAuditEvent("test", "test.ended", "t"))


@pytest.mark.data
def test_real_wazuh_alerts_come_in_whole(
    tmp_path: Path, shared_data: Path, make_feed: Callable[..., Feed], taken: Taken
):
    lines: list[bytes] = []
    with tarfile.open(shared_data / "logs" / "ait_ads" / "aecid_raw_alerts_gpl3.tar.gz") as archive:
        for member in archive:
            if member.isfile() and (stream := archive.extractfile(member)) is not None:
                lines += [one for one in stream.read().splitlines() if one.startswith(b"{")][:500]
    lines = lines[:1500]
    assert len(lines) > 100
    file = tmp_path / "alerts.json"
    wazuh = WazuhSettings(name="test", path=str(file))
    limits = Limits()
    one = TailSource(wazuh, limits, WazuhRecords(wazuh))
    for start in range(0, len(lines), 400):
        with file.open("ab") as out:
            out.write(b"\n".join(lines[start : start + 400]) + b"\n")
        if start == 400:
            file.rename(tmp_path / "alerts.json.1")
            file.touch()
        one.round(make_feed(bounds=limits))
    assert sorted(data for _source, data in taken.alerts()) == sorted(lines)


@pytest.mark.data
def test_real_eve_alerts_are_chosen(tmp_path: Path, shared_data: Path, make_feed: Callable[..., Feed], taken: Taken):
    found: list[dict[str, object]] = []
    yaml = pytest.importorskip("yaml")
    with tarfile.open(shared_data / "logs" / "suricata_verify_yaml.tar.gz") as archive:
        for member in archive:
            if not member.name.endswith("test.yaml") or len(found) > 300:
                continue
            stream = archive.extractfile(member)
            if stream is None or b"event_type" not in (text := stream.read()):
                continue
            try:
                checks = yaml.safe_load(text).get("checks") or []
            except yaml.YAMLError:
                continue
            for check in checks:
                match = (check.get("filter") or {}).get("match") if isinstance(check, dict) else None
                if isinstance(match, dict) and isinstance(match.get("event_type"), str):
                    found.append(match)
    alerts = [record for record in found if record["event_type"] == "alert"]
    assert len(alerts) > 20
    assert len(found) > len(alerts)
    file = tmp_path / "eve.json"
    file.write_bytes(b"".join(json.dumps(record, default=str).encode() + b"\n" for record in found))
    chosen = SuricataSettings(name="test", path=str(file))
    TailSource(chosen, Limits(), SuricataRecords(chosen)).round(make_feed())
    assert len(taken.alerts()) == len(alerts)

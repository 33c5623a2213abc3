"""Real public evidence: every file is recognised as what it is, and its records become events."""

import io
import lzma
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from casemate.core.event import FIELD_NAMES, Event
from casemate.core.evidence import Opened
from casemate.core.issue import Issue
from casemate.stages.ingest import Source, read

pytestmark = pytest.mark.data


def members(archive: Path, ending: str, most: int = 1000) -> Iterator[tuple[str, bytes]]:
    """Give files of a tar archive whose names end so, without unpacking it."""
    with tarfile.open(archive) as opened:
        found = 0
        for member in opened:
            if member.name.endswith(ending) and member.isfile() and found < most:
                data = opened.extractfile(member)
                assert data is not None
                found += 1
                yield member.name, data.read()


class Tally:
    """What reading many files gave."""

    def __init__(self, files: Iterator[tuple[str, bytes]]) -> None:
        self.formats: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.alerts = self.timeless = 0
        self.issues: list[Issue] = []
        for name, data in files:
            for item in read(Source(name, opener(data))):
                if isinstance(item, Opened):
                    self.formats[item.format] += 1
                elif isinstance(item, Issue):
                    self.issues.append(item)
                elif isinstance(item, Event):
                    self.kinds[item.kind] += 1
                    self.alerts += item.is_alert
                    self.timeless += item.time is None
                    assert all(field in FIELD_NAMES for field, _ in item.fields)


def opener(data: bytes) -> Callable[[], io.BytesIO]:
    return lambda: io.BytesIO(data)


@pytest.mark.slow
def test_all_evtx_files_are_read_whole(shared_data: Path) -> None:
    tally = Tally(members(shared_data / "logs" / "evtx_to_mitre_cc0.tar.gz", ".evtx"))
    assert tally.formats == {"evtx": 281}
    assert tally.issues == []
    assert tally.kinds["windows-event"] > 9_000
    assert tally.timeless == 0


def test_windows_events_as_json(shared_data: Path) -> None:
    tally = Tally(members(shared_data / "logs" / "sigma_regression_json.tar.gz", ".json"))
    assert tally.formats == {"windows-event": 202}
    assert tally.kinds["windows-event"] >= 202
    assert tally.timeless == 0


def test_cloudtrail(shared_data: Path) -> None:
    tally = Tally(members(shared_data / "logs" / "invictus_cloudtrail_mit.tar.gz", ".json"))
    assert tally.formats == {"cloudtrail": 55}
    assert tally.kinds == {"cloudtrail": 2900}
    assert tally.timeless == 0


def test_wazuh_alerts(shared_data: Path) -> None:
    tally = Tally(members(shared_data / "logs" / "ait_ads" / "aecid_raw_alerts_gpl3.tar.gz", ".json"))
    assert (tally.formats, tally.alerts, tally.timeless) == ({"wazuh": 2}, 1362, 0)


@pytest.mark.slow
def test_zeek_json(shared_data: Path) -> None:
    tally = Tally(members(shared_data / "logs" / "zeek_json_bysa.tar.gz", ".gz"))
    assert tally.formats == {"gzip": 29, "zeek-json": 29}
    assert (tally.kinds["zeek"], tally.alerts) == (55_337, 207)


def test_linux_logs(shared_data: Path) -> None:
    tally = Tally(members(shared_data / "logs" / "loghub_2k_corrected.tar.gz", ".log"))
    assert tally.formats == {"text": 7, "syslog": 2, "web-error": 1}
    assert tally.kinds["sshd"] > 2_600
    assert tally.kinds["web-error"] == 2_000
    assert tally.timeless == 0


def test_a_table_of_alerts(shared_data: Path) -> None:
    with (
        lzma.open(shared_data / "logs" / "ait_ads" / "alerts_csv.tar.xz") as packed,
        tarfile.open(fileobj=packed, mode="r|") as archive,
    ):
        member = next(member for member in archive if member.name.endswith("alerts.txt"))
        data = archive.extractfile(member)
        assert data is not None
        head = data.read(100_000)
    tally = Tally(iter([(member.name, head[: head.rfind(b"\n")])]))
    assert tally.formats == {"csv": 1}
    assert tally.kinds["csv"] == head.count(b"\n") - 1
    assert tally.timeless == 0


def test_shared_intelligence_is_no_log(shared_data: Path) -> None:
    playbooks = Tally(members(shared_data / "ioc" / "unit42_playbooks_mit.tar.gz", ".json", most=10))
    assert (playbooks.formats, playbooks.kinds) == ({"stix": 10}, {})
    reports = Tally(members(shared_data / "ioc" / "eset_malware_ioc_bsd2.tar.gz", ".json"))
    assert reports.kinds == {"misp": 50}
    tables = Tally(members(shared_data / "ioc" / "sekoia_iocs_drl11.tar.gz", ".csv"))
    assert tables.kinds.total() == 0
    assert tables.formats["csv"] > 25

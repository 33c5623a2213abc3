"""Alerts and records as JSON: each family recognised by what it holds, and read into the same attributes."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.event import FIELD_NAMES
from casemate.stages.ingest import cloudtrail, elastic, suricata, wazuh, windows_event
from casemate.stages.ingest.families import FAMILIES, TooDeep, decode_json, family_of, parse_json
from casemate.stages.ingest.record import Record

SAMPLES: dict[str, dict[str, object]] = {
    "wazuh": {
        "timestamp": "2024-05-01T10:00:00.000+0000",
        "rule": {"level": 10, "id": "5712", "description": "brute force", "mitre": {"id": ["T1110"]}},
        "agent": {"id": "001", "name": "web01", "ip": "10.0.0.5"},
        "full_log": "May 1 10:00:00 web01 sshd[1]: Failed password for root from 203.0.113.9",
        "data": {"srcip": "203.0.113.9:4711", "dstuser": "root"},
    },
    "aminer": {
        "AnalysisComponent": {
            "AnalysisComponentName": "New path",
            "Message": "New value",
            "AnalysisComponentType": "X",
        },
        "LogData": {"RawLogData": ["GET /x"], "Timestamps": [1_700_000_000]},
        "AMiner": {"ID": "host1"},
    },
    "suricata": {
        "timestamp": "2024-05-01T10:00:00.000001+0000",
        "event_type": "alert",
        "src_ip": "10.0.0.1",
        "src_port": 5,
        "dest_ip": "10.0.0.2",
        "dest_port": 80,
        "alert": {
            "signature_id": 7,
            "signature": "SCAN",
            "severity": 1,
            "category": "Scan",
            "metadata": {"mitre_technique_id": ["T1595_002"]},
        },
        "http": {"hostname": "a.test", "url": "/x", "http_method": "GET", "http_user_agent": "curl", "status": 404},
    },
    "ocsf": {
        "class_uid": 2004,
        "category_uid": 2,
        "severity_id": 4,
        "time": 1_700_000_000_000,
        "metadata": {"version": "1.1.0", "product": {"name": "P"}},
        "finding_info": {"title": "bad", "attacks": [{"technique": {"uid": "T1059"}}]},
        "device": {"hostname": "h"},
    },
    "cloudtrail": {
        "eventVersion": "1.08",
        "eventTime": "2023-07-10T12:11:15Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "sourceIPAddress": "198.51.100.4",
        "userIdentity": {"userName": "eve"},
        "errorCode": "AccessDenied",
    },
    "zeek": {
        "_path": "http",
        "ts": 1_700_000_000.5,
        "uid": "C1",
        "id.orig_h": "10.0.0.1",
        "id.orig_p": 1,
        "id.resp_h": "10.0.0.2",
        "id.resp_p": 80,
        "host": "a.test",
        "uri": "/x",
        "method": "GET",
    },
    "windows-event": {
        "EventID": 4625,
        "Channel": "Security",
        "Hostname": "DC1",
        "@timestamp": "2020-07-22T03:27:42.455Z",
        "SourceName": "Microsoft-Windows-Security-Auditing",
        "TargetUserName": "admin",
        "IpAddress": "10.1.1.1",
        "LogonType": "3",
    },
    "elastic": {
        "@timestamp": "2024-05-01T10:00:00Z",
        "kibana.alert.rule.name": "Encoded command",
        "kibana.alert.severity": "critical",
        "kibana.alert.rule.threat": [
            {"technique": [{"id": "T1059", "subtechnique": [{"id": "T1059.001"}]}]},
        ],
        "process": {"command_line": "powershell -enc AAAA", "parent": {"command_line": "winword"}},
        "host.name": "pc1",
    },
    "stix": {
        "type": "sighting",
        "id": "sighting--ee20065d-2555-424f-ad9e-0f8428623c75",
        "created": "2024-01-01T00:00:00Z",
        "sighting_of_ref": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "first_seen": "2023-12-01T00:00:00Z",
    },
    "misp": {
        "Event": {
            "info": "OSINT report",
            "date": "2020-01-02",
            "threat_level_id": "1",
            "Attribute": [],
            "Tag": [{"name": 'misp-galaxy:mitre-attack-pattern="PowerShell - T1059.001"'}],
        }
    },
}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_each_family_knows_its_own_and_no_other_claims_it_first(name: str) -> None:
    assert family_of(SAMPLES[name]) == name
    assert set(SAMPLES) == set(FAMILIES)


def read(name: str) -> Record:
    record = parse_json(SAMPLES[name])
    assert record is not None
    return record


def test_a_wazuh_alert() -> None:
    record = read("wazuh")
    assert (record.kind, record.is_alert, record.severity, record.techniques) == ("wazuh", True, 3, ("T1110",))
    assert record.rule == "5712 brute force"
    assert ("src_endpoint.ip", "203.0.113.9") in record.fields
    assert ("src_endpoint.port", "4711") in record.fields
    assert ("user.name", "root") in record.fields


@pytest.mark.parametrize(("level", "severity"), [(0, 1), (3, 1), (4, 2), (7, 3), (12, 4), (15, 5), (None, 0), (-1, 0)])
def test_wazuh_levels(level: int | None, severity: int) -> None:
    assert wazuh.severity_of(level) == severity


def test_an_aminer_anomaly_has_the_time_of_the_log() -> None:
    record = read("aminer")
    assert record.is_alert
    assert record.time == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_suricata_alert() -> None:
    record = read("suricata")
    assert (record.rule, record.severity, record.techniques) == ("7 SCAN", 4, ("T1595.002",))
    assert ("http_request.url", "/x") in record.fields
    assert ("dst_endpoint.hostname", "a.test") in record.fields


def test_a_suricata_flow_is_no_alert() -> None:
    record = suricata.parse_record({"event_type": "flow", "timestamp": "2024-05-01T10:00:00Z", "flow_id": 1})
    assert (record.is_alert, record.severity, record.rule) == (False, 1, "flow")


def test_a_suricata_dns_record_of_version_three_keeps_its_question() -> None:
    record = suricata.parse_record({"event_type": "dns", "dns": {"queries": [{"rrname": "evil.test"}]}})
    assert ("query.hostname", "evil.test") in record.fields


@pytest.mark.parametrize(("priority", "severity"), [(1, 4), (2, 3), (3, 2), (4, 1), (255, 1), (0, 0), (None, 0)])
def test_suricata_priorities(priority: int | None, severity: int) -> None:
    assert suricata.severity_of(priority) == severity


def test_an_elastic_alert_in_dots_and_nested_is_the_same() -> None:
    record = read("elastic")
    assert (record.kind, record.severity, record.techniques) == ("elastic-alert", 5, ("T1059", "T1059.001"))
    nested = dict(SAMPLES["elastic"])
    nested["kibana"] = {
        "alert": {"rule": {"name": "Encoded command", "threat": nested.pop("kibana.alert.rule.threat")}}
    }
    del nested["kibana.alert.rule.name"]
    assert parse_json(nested) == record


def test_a_plain_ecs_document_is_no_alert() -> None:
    record = parse_json({"@timestamp": "2024-05-01T10:00:00Z", "ecs": {"version": "8"}, "event": {"action": "logon"}})
    assert record is not None
    assert (record.kind, record.rule, record.is_alert) == ("ecs", "logon", False)


def test_elastic_risk_scores_stand_in_for_a_missing_severity() -> None:
    assert [elastic.severity_of("", score) for score in (99, 73, 47, 21, 5, None)] == [5, 4, 3, 2, 1, 0]


def test_an_ocsf_finding() -> None:
    record = read("ocsf")
    assert (record.is_alert, record.severity, record.techniques, record.rule) == (True, 4, ("T1059",), "bad")


def test_a_cloudtrail_call() -> None:
    record = read("cloudtrail")
    assert record.rule == "iam.amazonaws.com CreateUser"
    assert ("status", "AccessDenied") in record.fields
    assert not record.is_alert


def test_a_call_by_a_service_has_no_address() -> None:
    record = cloudtrail.parse_record({"eventName": "X", "eventSource": "s", "sourceIPAddress": "ec2.amazonaws.com"})
    assert ("src_endpoint.hostname", "ec2.amazonaws.com") in record.fields


def test_windows_events_of_all_three_forms_agree() -> None:
    data = {"TargetUserName": "admin", "IpAddress": "10.1.1.1", "LogonType": 3}
    provider = "Microsoft-Windows-Security-Auditing"
    system = {
        "Provider": {"#attributes": {"Name": provider}},
        "EventID": {"#text": "4625", "#attributes": {"Qualifiers": 0}},
        "Channel": "Security",
        "Computer": "DC1",
        "Level": 0,
        "TimeCreated": {"#attributes": {"SystemTime": "2020-07-22T03:27:42.455Z"}},
    }
    winlog = {"event_id": "4625", "channel": "Security", "provider_name": provider, "computer_name": "DC1"}
    forms = (
        {"Event": {"System": system, "EventData": data}},
        {"@timestamp": "2020-07-22T03:27:42.455Z", "winlog": {**winlog, "event_data": data}},
        SAMPLES["windows-event"],
    )
    records = [windows_event.parse_record(form) for form in forms]
    assert {record.rule for record in records} == {"4625 account failed to log on (type 3)"}
    assert len({record.time for record in records}) == 1
    assert len({record.fields for record in records}) == 1


@pytest.mark.parametrize(
    ("number", "keywords", "status", "outcome"),
    [
        (4768, "0x8010000000000000", "0x12", "Failure"),
        (4768, "0x8020000000000000", "0x0", "Success"),
        (5156, -9214364837600034816, "", "Success"),
        (4625, None, "0xc000006d", "Failure"),
        (4776, None, "0x0", "Success"),
        (4776, None, "0xC0000064", "Failure"),
        (4688, ["Audit Success"], "", "Success"),
        (1, "AUDIT_FAILURE", "", "Failure"),
        (1, "0x8000000000000000", "", ""),
        (1, "0x", "", ""),
    ],
)
def test_outcomes_of_audited_actions(number: int, keywords: object, status: str, outcome: str) -> None:
    assert windows_event.outcome_of(number, keywords, status) == outcome


def test_the_account_of_a_new_service_did_not_install_it() -> None:
    data = {"ServiceName": "evil", "ImagePath": "C:\\x.exe", "AccountName": "LocalSystem"}
    event = {"EventID": 7045, "Channel": "System", "SourceName": "Service Control Manager", **data}
    record = windows_event.parse_record(event)
    assert record.rule == "7045 service installed"
    assert record.fields == (("process.cmd_line", "C:\\x.exe"), ("app_name", "evil"))


def test_a_sysmon_rule_name_gives_its_technique() -> None:
    event = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "RuleName": "technique_id=T1055,x=y"}
    record = windows_event.parse_record(event)
    assert (record.rule, record.techniques) == ("1 process created", ("T1055",))


def test_defender_detections_are_alerts() -> None:
    event = {"EventID": 1116, "Channel": "Microsoft-Windows-Windows Defender/Operational", "Level": 3}
    record = windows_event.parse_record(event)
    assert (record.is_alert, record.severity) == (True, 4)


def test_a_zeek_record() -> None:
    record = read("zeek")
    assert record.rule == "http"
    assert ("dst_endpoint.hostname", "a.test") in record.fields
    assert record.time == datetime(2023, 11, 14, 22, 13, 20, 500000, tzinfo=UTC)


def test_a_zeek_notice_is_an_alert() -> None:
    record = parse_json({"_path": "notice", "ts": 1, "note": "Scan::Port_Scan", "msg": "scanned", "src": "10.0.0.9"})
    assert record is not None
    assert (record.is_alert, record.rule, record.message.strip()) == (True, "Scan::Port_Scan", "scanned")


def test_stix_and_misp_as_evidence() -> None:
    assert read("stix").time == datetime(2023, 12, 1, tzinfo=UTC)
    assert (
        parse_json({"type": "malware", "id": "malware--ee20065d-2555-424f-ad9e-0f8428623c75", "created": "x"}) is None
    )
    misp = read("misp")
    assert (misp.severity, misp.techniques, misp.message) == (4, ("T1059.001",), "OSINT report")


def test_a_hit_of_a_search_engine_is_unwrapped() -> None:
    assert family_of({"_index": "i", "_source": SAMPLES["wazuh"]}) == "wazuh"


def test_an_unknown_record_is_read_by_its_names() -> None:
    record = parse_json({"Event Time": "2024-01-01T00:00:00Z", "Source IP": "10.0.0.1", "user": "bob", "x": 1})
    assert record is not None
    assert record.kind == "json"
    assert set(record.fields) == {("src_endpoint.ip", "10.0.0.1"), ("user.name", "bob")}


def test_a_record_that_says_nothing_is_no_event() -> None:
    assert parse_json({"a": 1}) is None
    assert parse_json([1]) is None


def test_half_a_surrogate_pair_does_not_hide_an_alert() -> None:
    text = json.dumps(SAMPLES["wazuh"]).replace("brute force", "brute \\ud800 force")
    record = parse_json(decode_json(text, 200))
    assert record is not None
    record.rule.encode()


def test_deep_json_is_refused() -> None:
    with pytest.raises(TooDeep):
        decode_json("[" * 300 + "]" * 300, 200)
    with pytest.raises(TooDeep):
        decode_json('{"a":' * 100_000, 200)
    assert decode_json('{"a": "' + "[" * 300 + '"}', 200) == {"a": "[" * 300}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths(value: object, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return []
    found = []
    for key, inner in value.items():
        found.append((*prefix, key))
        found.extend(paths(inner, (*prefix, key)))
    return found


def replaced(value: object, path: tuple[str, ...], odd: object) -> object:
    if not path or not isinstance(value, dict):
        return odd
    return {key: replaced(inner, path[1:], odd) if key == path[0] else inner for key, inner in value.items()}


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_wrong_types_anywhere_never_raise(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    sample: object = SAMPLES[name]
    for _ in range(data.draw(st.integers(1, 4))):
        known = paths(sample)
        if not known:
            break
        sample = replaced(sample, data.draw(st.sampled_from(known)), data.draw(VALUES))
    assert isinstance(sample, dict)
    for family in FAMILIES.values():
        family.matches(sample)
        check(family.parse(sample))
    check(parse_json(sample))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=10), VALUES, max_size=4))
def test_random_records_never_raise(sample: dict[str, object]) -> None:
    for family in FAMILIES.values():
        check(family.parse(sample))


def check(record: Record | None) -> None:
    if record is None:
        return
    assert 0 <= record.severity <= 6
    assert record.time is None or record.time.tzinfo is UTC
    for name, value in record.fields:
        assert name in FIELD_NAMES
        assert isinstance(value, str)
        assert value
        value.encode()
    record.rule.encode()
    record.message.encode()
    assert all(technique.startswith("T") for technique in record.techniques)

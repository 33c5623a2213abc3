"""The logs that people read: syslog, the login family, auditd, web servers, CEF, LEEF, Zeek tables, CSV."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.event import FIELD_NAMES
from casemate.stages.ingest import auditd, cef, leef, syslog, web_access
from casemate.stages.ingest.csv_table import CsvTable, find_delimiter
from casemate.stages.ingest.log_lines import PARSERS, EachLine, SyslogFrames, parse_any
from casemate.stages.ingest.record import LineParser, Placed, Record
from casemate.stages.ingest.zeek import ZeekTable, matches_table

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def line(text: str) -> Record:
    record = parse_any(text, NOW)
    assert record is not None
    return record


def read(parser: LineParser, lines: Sequence[str]) -> list[Placed]:
    found: list[Placed] = []
    start = 0
    for text in lines:
        found.extend(parser.take(start, text))
        start += len(text) + 1
    found.extend(parser.finish())
    return found


# syslog


def test_rfc3164() -> None:
    record = line("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8")
    assert (record.kind, record.time, record.severity) == ("su", datetime(2023, 10, 11, 22, 14, 15, tzinfo=UTC), 4)


def test_rfc5424_with_structured_data() -> None:
    data = '[a@1 iut="3" q="x\\"]y"][b@2 techniqueId="T1110"]'
    text = f"<165>1 2003-10-11T22:14:15.003Z host.test evntslog 7 ID47 {data} \ufeffApplication"
    record = line(text)
    assert record.time == datetime(2003, 10, 11, 22, 14, 15, 3000, tzinfo=UTC)
    assert (record.rule, record.message, record.techniques) == ("evntslog ID47", "Application", ("T1110",))
    assert syslog.read_structured('[a x="1\\"]"] m') == ([("x", '1"]')], "m")


def test_rsyslog_iso_times() -> None:
    record = line("2024-05-01T10:00:00.123456+02:00 host kernel: [UFW BLOCK] SRC=203.0.113.5 DST=10.0.0.1 SPT=5 DPT=22")
    assert record.time == datetime(2024, 5, 1, 8, 0, 0, 123456, UTC)
    assert record.fields[-4:] == (
        ("src_endpoint.ip", "203.0.113.5"),
        ("dst_endpoint.ip", "10.0.0.1"),
        ("src_endpoint.port", "5"),
        ("dst_endpoint.port", "22"),
    )


def test_octet_counted_messages_share_a_line() -> None:
    one, two = "<34>1 - h a - - - first é", "<34>1 - h a - - - second"
    text = f"{len(one.encode())} {one}{len(two)} {two}"
    placed = read(SyslogFrames(NOW), [text])
    assert [text[found.start : found.end] for found in placed] == [one, two]


@pytest.mark.parametrize(
    ("text", "kind", "rule", "fields"),
    [
        (
            "sshd[1]: Failed password for invalid user ad min from 203.0.113.9 port 22 ssh2",
            "sshd",
            "login failed: invalid user (password)",
            {"user.name": "ad min", "src_endpoint.ip": "203.0.113.9", "status": "Failure"},
        ),
        (
            "sshd[1]: Accepted publickey for root from 2001:db8::1 port 9 ssh2: RSA SHA256:x",
            "sshd",
            "login accepted (publickey)",
            {"user.name": "root", "src_endpoint.ip": "2001:db8::1", "status": "Success"},
        ),
        ("sshd[1]: Invalid user x from 203.0.113.9", "sshd", "invalid user", {"src_endpoint.ip": "203.0.113.9"}),
        (
            "sshd(pam_unix)[1]: authentication failure; uid=0 tty=NODEVssh ruser= rhost=218.188.2.4  user=root",
            "sshd",
            "authentication failure (sshd)",
            {"user.name": "root", "src_endpoint.ip": "218.188.2.4"},
        ),
        (
            "CRON[9]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
            "pam",
            "session opened (cron)",
            {"user.name": "root"},
        ),
        (
            "sudo:    eve : TTY=pts/0 ; PWD=/home/eve ; USER=root ; COMMAND=/bin/cat /etc/shadow",
            "sudo",
            "sudo command",
            {"actor.user.name": "eve", "user.name": "root", "process.cmd_line": "/bin/cat /etc/shadow"},
        ),
        (
            "sudo:    eve : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            "sudo",
            "sudo refused: user NOT in sudoers",
            {"status": "Failure"},
        ),
        ("su[5]: (to root) eve on pts/1", "su", "switch of user", {"actor.user.name": "eve", "status": "Success"}),
        ("su: FAILED SU (to root) eve on pts/1", "su", "switch of user failed", {"status": "Failure"}),
    ],
)
def test_the_login_family(text: str, kind: str, rule: str, fields: dict[str, str]) -> None:
    record = line(f"May  2 10:00:00 host {text}")
    assert (record.kind, record.rule) == (kind, rule)
    assert fields.items() <= dict(record.fields).items()


def test_prose_is_no_syslog() -> None:
    assert not syslog.matches(["Jan 12 10:00:00 was a cold day", "and so on"])
    assert syslog.matches(["Jan 12 10:00:00 host prog: text"])


# auditd


AUDIT = [
    'type=SYSCALL msg=audit(1604996384.965:93777): syscall=59 success=yes pid=2168 uid=0 comm="dd" key="T1027_dd"',
    'type=EXECVE msg=audit(1604996384.965:93777): argc=2 a0="dd" a1=69663D2F6465762F7A65726F',
    "type=PROCTITLE msg=audit(1604996384.965:93777): proctitle=6464006100",
    "type=SOCKADDR msg=audit(1604996384.965:93777): saddr=02000050C0A80001",
    "type=USER_LOGIN msg=audit(1604996385.000:93778): pid=1 msg='op=login acct=\"root\" addr=203.0.113.9 res=failed'",
]


def test_audit_records_of_one_id_are_one_event() -> None:
    one, two = read(auditd.AuditLines(), AUDIT)
    assert one.start == 0
    assert one.end == sum(map(len, AUDIT[:4])) + 3
    fields = dict(one.record.fields)
    assert fields["process.cmd_line"] == "dd if=/dev/zero"
    assert (fields["dst_endpoint.ip"], fields["dst_endpoint.port"]) == ("192.168.0.1", "80")
    assert one.record.techniques == ("T1027",)
    assert one.record.time == datetime(2020, 11, 10, 8, 19, 44, 965000, UTC)
    assert two.record.rule == "USER_LOGIN"
    assert {("user.name", "root"), ("status", "Failure"), ("src_endpoint.ip", "203.0.113.9")} <= set(two.record.fields)


def test_one_audit_id_for_ever_does_not_grow_for_ever() -> None:
    placed = read(auditd.AuditLines(), AUDIT[:1] * 1200)
    assert len(placed) == 3


# web servers


def test_a_combined_log_line() -> None:
    request = '"GET /a?b=\\"c HTTP/1.0" 404 2326'
    text = f'203.0.113.7 - bob [10/Oct/2000:13:55:36 -0700] {request} "http://r.test/" "Mozilla (x)"'
    record = line(text)
    assert (record.kind, record.rule) == ("web-access", "GET 404")
    fields = dict(record.fields)
    assert fields["http_request.user_agent"] == "Mozilla (x)"
    assert (fields["user.name"], fields["src_endpoint.ip"]) == ("bob", "203.0.113.7")


def test_a_request_that_is_no_http_keeps_its_bytes() -> None:
    record = line(r'203.0.113.7 - - [10/Oct/2000:13:55:36 +0000] "\x16\x03\x01" 400 0 "-" "-"')
    assert dict(record.fields)["http_request.url"] == r"\x16\x03\x01"


def test_a_virtual_host_before_the_client() -> None:
    record = line('www.test:443 203.0.113.7 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 1 "-" "x"')
    assert dict(record.fields)["dst_endpoint.hostname"] == "www.test"


def test_error_logs_of_both_servers() -> None:
    apache = line("[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 1:tid 2] [client 203.0.113.7:99] File missing")
    assert (apache.kind, apache.severity, dict(apache.fields)["src_endpoint.ip"]) == ("web-error", 3, "203.0.113.7")
    nginx = line(
        '2021/01/02 03:04:05 [error] 9#0: *1 open() failed, client: 203.0.113.7, request: "GET /x HTTP/1.1", host: "h"'
    )
    assert dict(nginx.fields)["http_request.url"] == "/x"
    assert nginx.time == datetime(2021, 1, 2, 3, 4, 5, tzinfo=UTC)


# CEF and LEEF


def test_cef_with_escapes_and_a_syslog_header() -> None:
    pairs = r"src=10.0.0.1 spt=1 msg=a\=b\nc d cs1Label=MITRE cs1=T1059 request=http://x.test/?a\=1"
    text = rf"<13>May  1 10:00:00 fw CEF:0|Sec|thre\|at|1.0|100|worm \\ stopped|8|{pairs}"
    record = line(text)
    assert (record.kind, record.rule, record.severity, record.is_alert) == ("cef", "100 worm \\ stopped", 4, True)
    assert record.message == "a=b c d"
    assert record.techniques == ("T1059",)
    fields = dict(record.fields)
    assert (fields["http_request.url"], fields["device.hostname"]) == ("http://x.test/?a=1", "fw")
    assert fields["app_name"] == "Sec thre|at"


@pytest.mark.parametrize(("word", "severity"), [("0", 2), ("5", 3), ("8", 4), ("10", 5), ("Very-High", 5), ("x", 0)])
def test_cef_severities(word: str, severity: int) -> None:
    assert cef.severity_of(word) == severity


@pytest.mark.parametrize(
    "text",
    [
        "LEEF:1.0|IBM|Probe|1|login|src=10.0.0.1\tusrName=bob\tsev=8\tdevTime=1700000000000",
        "LEEF:2.0|IBM|Probe|1|login|^|src=10.0.0.1^usrName=bob^sev=8^devTime=1700000000000",
        "May  1 10:00:00 h LEEF:2.0|IBM|Probe|1|login|x5E|src=10.0.0.1^usrName=bob^sev=8^devTime=1700000000000",
    ],
)
def test_leef(text: str) -> None:
    record = leef.parse_line(text, NOW)
    assert record is not None
    assert (record.severity, record.is_alert, record.rule) == (4, True, "login")
    assert {("src_endpoint.ip", "10.0.0.1"), ("user.name", "bob")} <= set(record.fields)
    assert record.time == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


# tables


def test_a_zeek_table() -> None:
    lines = [
        "#separator \\x09",
        "#path\tconn",
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tconn_state",
        "1700000000.5\tC1\t10.0.0.1\t5\t10.0.0.2\t80\t-",
        "too\tshort",
        "#path\thttp",
        "#fields\tts\tid.orig_h\thost\turi",
        "1700000000.5\t10.0.0.1\ta.test\t/\\x41",
    ]
    assert matches_table(lines)
    one, two = read(ZeekTable(), lines)
    assert (one.record.rule, dict(one.record.fields)["dst_endpoint.port"]) == ("conn", "80")
    assert dict(two.record.fields)["http_request.url"] == "/A"


def test_a_table_with_line_ends_inside_quotes() -> None:
    lines = [
        "time,source ip,message",
        '2024-01-01T00:00:00Z,10.0.0.1,"two',
        'lines"',
        "2024-01-02T00:00:00Z,10.0.0.2,x",
    ]
    table = CsvTable(find_delimiter(lines))
    one, two = read(table, lines)
    assert (one.record.message, one.record.time) == ("two lines", datetime(2024, 1, 1, tzinfo=UTC))
    assert "\n".join(lines)[one.start : one.end].endswith('lines"')
    assert two.record.fields == (("src_endpoint.ip", "10.0.0.2"),)


def test_a_quote_that_never_closes_costs_no_row() -> None:
    lines = ["time,src_ip", '2024-01-01T00:00:00Z,"10.0.0.1', "2024-01-02T00:00:00Z,10.0.0.2"]
    assert [found.start for found in read(CsvTable(","), lines)] == [12, 43]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    lines = [delimiter.join(row) for row in (("timestamp", "user", "zz"), ("1", "b", "c"), ("2", "d", "e"))]
    assert find_delimiter(lines) == delimiter


@pytest.mark.parametrize(
    "lines",
    [
        ["Dear all, we saw something", "odd, and then nothing"],
        ["081109 203615 148 INFO dfs: x"],
        ["1,2,3", "4,5,6"],
        [],
    ],
)
def test_what_is_no_table(lines: list[str]) -> None:
    assert find_delimiter(lines) == ""


def test_a_list_of_indicators_is_no_log() -> None:
    assert read(CsvTable(","), ["value,type,notes", "203.0.113.1,ipaddress,seen scanning"]) == []


def test_mixed_lines_are_read_as_what_they_are() -> None:
    lines = [AUDIT[0], "May  2 10:00:00 h sshd[1]: Invalid user x from 203.0.113.9", "no log at all", AUDIT[4]]
    assert [found.record.kind for found in read(EachLine("syslog", NOW), lines)] == ["auditd", "sshd", "auditd"]


# hostile input


PIECES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            *AUDIT,
            *("CEF:0|", "LEEF:2.0|", "|", '"', "\\", "[", "<34>", "May  2 10:00:00 h ", "sshd[1]: ", " from ", "9 "),
            *("Failed password for ", "type=", "msg=audit(1.1:1): ", "a0=41", "#fields\t", "#separator \\x", ",", "\t"),
            *("TTY= ; PWD=", "="),
        ]
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_line_raises(text: str) -> None:
    text = text.replace("\n", " ")
    for parse in PARSERS.values():
        check(parse(text, NOW))
    for parser in (CsvTable(","), ZeekTable(), auditd.AuditLines(), SyslogFrames(NOW)):
        for placed in read(parser, [text, text]):
            assert 0 <= placed.start <= placed.end <= 2 * len(text) + 1
            check(placed.record)
    web_access.matches([text])
    find_delimiter([text, text])


def check(record: Record | None) -> None:
    if record is not None:
        assert all(name in FIELD_NAMES and isinstance(value, str) and value for name, value in record.fields)
        assert 0 <= record.severity <= 6


@pytest.mark.parametrize(
    "text",
    [
        "CEF:0|a|b|c|d|e|5|" + "a=b " * 50_000,
        "May  2 10:00:00 h sshd[1]: Failed password for " + " from" * 50_000,
        "May  2 10:00:00 h sudo: " + "x : " * 50_000,
        '1.1.1.1 - - [10/Oct/2000:13:55:36 -0700] "' + '\\"' * 100_000,
        "type=EXECVE msg=audit(1.1:1): " + "a0=4141 " * 50_000,
        "<1>1 - - - - - " + '[a b="' * 50_000,
        "2021/01/02 03:04:05 [error] 9#0: " + ", client: " * 50_000,
        "9 " * 100_000,
    ],
)
def test_long_hostile_lines_are_read_in_time(text: str) -> None:
    parse_any(text, NOW)
    list(syslog.split_frames(text))

"""Heads and groups of log lines: what belongs to one statement is one group, what an analyst must tell apart is two."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.stages.extract.log_groups import LineAt, LogGroups, fine_template
from casemate.stages.extract.log_heads import split_line

HEADS = [
    ("Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown", "sshd(pam_unix)", "check pass"),
    ("2026-11-22T10:00:00Z web01 nginx[7]: upstream timed out", "nginx", "upstream timed out"),
    (
        "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1",
        "dfs.DataNode$PacketResponder",
        "Packet",
    ),
    (
        "2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:Fast@774] - Notification",
        "",
        "Notific",
    ),
    (
        "17/06/09 20:10:40 INFO executor.CoarseGrainedExecutorBackend: Registered",
        "executor.CoarseGrained",
        "Registered",
    ),
    ("[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok", "", "workerEnv.init() ok"),
    ("20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579", "", "onStandStepChanged 3579"),
    ("[10.30 16:49:06] chrome.exe *64 - proxy.example:5070 close, 0 bytes sent", "chrome.exe", "proxy.example:5070"),
    ("- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL INFO instruction", "", "instruction"),
    ("134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component State Change", "", "Component State"),
    ("no head at all: just words", "", "no head at all: just words"),
    ("connection refused from 1.2.3.4 at 2026-11-22 10:00:00 again", "", "connection refused"),
]


@pytest.mark.parametrize(("line", "program", "message"), HEADS)
def test_a_line_is_taken_apart(line: str, program: str, message: str):
    split = split_line(line)
    assert split.program.startswith(program)
    assert split.message.startswith(message)
    assert line[split.start :].strip().startswith(split.message[:10])


@given(st.text(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_line_is_survived_and_nothing_is_lost_but_the_head(line: str):
    split = split_line(line)
    assert bool(split.message) == bool(line.strip())
    assert line.strip().endswith(split.message)


@pytest.mark.parametrize("piece", ["[", "a.", "1 ", "A ", "2026-01-01 ", "x|", "- ", "[[", "a:"])
def test_long_lines_are_done_with(piece: str):
    assert split_line(piece * 100_000).message
    assert fine_template(piece * 5_000)


def group(*messages: str) -> list[tuple[str, int]]:
    groups = LogGroups(1000)
    for number, message in enumerate(messages, 1):
        groups.see(message, "", LineAt(number, 0, number, 0, 1))
    return [(one.template, one.count) for one in groups.joined()[0]]


def test_values_and_their_units_are_one_group():
    assert group(
        "a.example:443 close, 10 bytes (1.2 KB) sent, 9 bytes received, lifetime 00:01",
        "10.0.0.1:80 close, 10 bytes sent, 900 bytes (0.9 KB) received, lifetime <1 sec",
    ) == [("<*> close, <*> sent, <*> received, lifetime <*>", 2)]


def test_words_that_decide_stay_apart():
    assert len(group("session opened for user root by x", "session closed for user root by x")) == 2
    assert len(group("Accepted password for root from 1.2.3.4", "Failed password for root from 1.2.3.4")) == 2


def test_names_at_one_place_are_one_group_and_so_are_many_words():
    names = [f"domain {name} is no longer served" for name in ("root_domain", "usr_backup", "var_backup")]
    assert [count for _, count in group(*names)] == [3]
    many = [f"service {word} entered the running state" for word in ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op"]]
    assert group(*many) == [("service <*> entered the running state", 8)]
    assert len(group(*many[:3])) == 3


def test_parameters_keep_their_names():
    assert len(group("a b c failure rhost=1.2.3.4", "a b c failure user=x9")) == 2


def test_the_limit_of_templates_loses_no_line():
    groups = LogGroups(2)
    words = ["alpha", "beta", "gamma", "delta"]
    numbers = [groups.see(word, "", LineAt(number, 0, number, 0, 1)) for number, word in enumerate(words)]
    found, places = groups.joined()
    assert sum(one.count for one in found) == 4
    assert groups.overflow == 2
    assert all(0 <= places[number] < len(found) for number in numbers)


def test_rare_values_are_told_where_others_repeat():
    groups = LogGroups(10)
    for number in range(1, 60):
        address = "203.0.113.9" if number == 33 else "192.0.2.1"
        groups.see(f"login from {address} port {number + 40000}", "", LineAt(number, 0, number, 0, 1))
    (only,) = groups.joined()[0]
    assert only.rare_values(5) == ("203.0.113.9",)
    assert only.seen_at["203.0.113.9"].line == 33


@given(st.lists(st.text(alphabet="ab<*> =(", max_size=20), max_size=30))
@settings(max_examples=100, deadline=None)
def test_every_line_is_in_exactly_one_group(messages: list[str]):
    assert sum(count for _, count in group(*messages)) == len(messages)

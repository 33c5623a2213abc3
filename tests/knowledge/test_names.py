import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.knowledge import NAMED_KINDS, Knowledge, fold_name
from casemate.knowledge.names import AS_WRITTEN, IN_CONTEXT, NEVER, PHRASE, rule_of

WORDS = frozenset({"play", "route", "fancy", "bear", "input", "capture"})


def _found(knowledge: Knowledge, text: str) -> list[str]:
    return [match.text for match in knowledge.names_in(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("seen: zorbokit.exe, ZORBOKIT and Zorbokit.", ["zorbokit", "ZORBOKIT", "Zorbokit"]),
        ("APT99, apt-99 and APT 99 but not APT991 or xAPT99", ["APT99", "apt-99", "APT 99"]),
        ("FUZZY BADGER / fuzzy-badger, /FuzzyBadger", ["FUZZY BADGER", "fuzzy-badger", "FuzzyBadger"]),
        ("Scarlet Zorbo is longer than its parts", ["Scarlet Zorbo"]),
        ("the Empire strikes back, an empire, EMPIRE", []),
        ("agents of the Empire post-exploitation framework", ["Empire"]),
        ("Play the game. They Play. We play ransomware down.", []),
        ("victims of the Play ransomware gang", ["Play"]),
        ("ransomware called Play", ["Play"]),
        ("C:\\tools\\zorbokit\\x and https://zorbokit.example/ and /opt/zorbokit.exe", ["zorbokit"]),
        ("PowerShell ran; powershell.exe ran", ["PowerShell"]),
        ("Command and Scripting Interpreter", ["Command and Scripting Interpreter"]),
    ],
)
def test_names_in_text(knowledge: Knowledge, text: str, names: list[str]) -> None:
    assert _found(knowledge, text) == names


def test_a_match_lists_every_entry_with_the_name(knowledge: Knowledge) -> None:
    match = next(knowledge.names_in("attributed to TA999."))
    assert {entry.name for entry in match.entries} == {"APT99", "Grim Otter"}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=10),
            st.sampled_from(["APT99", "Zorbokit", "fuzzy", "badger", "Play", " ransomware", " ", "-", "İ", "ﬁ", "ß"]),
        ),
        max_size=12,
    )
)
def test_spans_select_text_in_order(knowledge: Knowledge, parts: list[str]) -> None:
    text = "".join(parts)
    reached = 0
    for match in knowledge.names_in(text):
        assert text[match.start : match.end] == match.text
        assert match.start >= reached
        assert match.entries
        assert all(entry.kind in NAMED_KINDS for entry in match.entries)
        assert any(fold_name(match.text) == fold_name(name) for entry in match.entries for name in entry.names)
        reached = match.end


@pytest.mark.parametrize(
    ("name", "kind", "state", "rule"),
    [
        ("Play", "malware", "", IN_CONTEXT),
        ("route", "tool", "", IN_CONTEXT),
        ("at", "tool", "", NEVER),
        ("Net", "tool", "", IN_CONTEXT),
        ("Fancy Bear", "actor", "", AS_WRITTEN),
        ("Input Capture", "weakness", "", NEVER),
        ("Malware", "technique", "", NEVER),
        ("Steal or Forge Kerberos Tickets", "technique", "", PHRASE),
        ("Steal or Forge Kerberos Tickets", "technique", "revoked", NEVER),
        ("Backdoor", "malware", "", NEVER),
        ("12345", "malware", "", NEVER),
        ("x" * 100, "malware", "", NEVER),
    ],
)
def test_the_rule_of_a_name(name: str, kind: str, state: str, rule: int) -> None:
    assert rule_of(name, kind, state, WORDS) == rule


def test_folding_makes_one_of_the_ways_to_write_a_name() -> None:
    assert len({fold_name(name) for name in ("APT 28", "apt-28", "APT28", "Apt\u201128", "ＡＰＴ28")}) == 1

"""Embedded rules: YARA and Sigma found in text, damage survived, real rules found whole."""

import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.stages.extract.embedded_rules import EmbeddedRule, find_rules

YARA = r"""rule Brace_In_String : apt tool
{
    meta:
        author = "some{body"
    strings:
        $a = "x}\"" // a } comment
        $b = { 4D 5A ?? [2-4] ( 01 | 02 ) }
        $c = /ab}\/c{2}/i
        /* } */
    condition:
        $a and #b > 2 and $c
}"""

SIGMA = """title: Suspicious Thing
id: 00000000-0000-0000-0000-000000000001
status: test
logsource:
    product: windows
    category: process_creation
detection:
    selection:
        Image|endswith: '\\\\evil.exe'

    condition: selection
level: high"""


def found(text: str, start: int = 0) -> list[EmbeddedRule]:
    return list(find_rules(text, start))


def test_yara_rules_are_taken_whole() -> None:
    text = f"We wrote this rule {{for you}}:\n\n{YARA}\nprivate rule Second {{ condition: true }} and more text"
    first, second = found(text, start=7)
    assert (first.kind, first.name) == ("yara", "Brace_In_String")
    assert text[first.start - 7 : first.end - 7] == YARA
    assert text[second.start - 7 : second.end - 7] == "private rule Second { condition: true }"


@pytest.mark.parametrize("lead", ["", "    ", "> "])
def test_sigma_rules_are_taken_whole_from_markdown(lead: str) -> None:
    block = "\n".join(lead + line if line else "" for line in SIGMA.split("\n"))
    text = f"# Report\n\n```yaml\n{block}\n```\n\nlevel: of detail\ntitle: Not a rule\n"
    (rule,) = found(text)
    assert (rule.kind, rule.name) == ("sigma", "Suspicious Thing")
    assert text[rule.start : rule.end] == block[len(lead) :]


def test_two_sigma_documents_are_two_rules() -> None:
    rules = found(f"{SIGMA}\n---\n{SIGMA.replace('Suspicious', 'Other')}\n")
    assert [rule.name for rule in rules] == ["Suspicious Thing", "Other Thing"]


@pytest.mark.parametrize(
    "text",
    [
        "the rule of thumb { is } a condition: of mind",
        'rule Unclosed { strings: $a = "x" condition: $a',
        "rule NoCondition { strings: }",
        "title: A page\nlogsource: here\nbut no detection",
        "title: A page\n\nThe logsource: and the detection: are described in prose.",
        "logsource:\n  a: b\ndetection:\n  c: d\n",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_rule_is_none(text: str) -> None:
    assert found(text) == []


_PIECES = [
    "rule a {", "}", '"', "/", "= /x/", "/*", "*/", "//", "\n", "condition:", "title: x", "logsource:",
    "detection:", "  ", "- ", "\\", "{",
]  # fmt: skip
PIECES = st.sampled_from(_PIECES)


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=60).map("".join)), st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_any_text_is_survived_and_spans_stay_inside_it(text: str, start: int) -> None:
    for rule in found(text, start):
        assert start <= rule.start < rule.end <= start + len(text)


@pytest.mark.parametrize(
    "text",
    [
        "rule a { " * 50_000 + "condition:",
        "rule a { condition: " * 20_000,
        "rule condition /* " + "*" * 400_000,
        "title: x\n" * 50_000 + "logsource detection",
        "title: x\nlogsource:\ndetection:\n" * 10_000,
        "rule a{condition" + "= /" * 150_000,
        'rule a{"\\' * 40_000 + "condition",
        "> " * 300_000 + "title: logsource detection",
    ],
)
def test_long_repetitions_are_done_with(text: str) -> None:
    assert len(found(text)) <= 2000


@pytest.mark.data
def test_every_real_sigma_rule_is_found_whole(shared_data: Path) -> None:
    missed = []
    with tarfile.open(shared_data / "logs" / "sigma_rules.tar.gz") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.endswith(".yml") else None
            text = stream.read().decode() if stream else ""
            if "\nlogsource:" not in text:
                continue
            rules = found("As said above:\n\n" + text.rstrip() + "\n\nThat was it.\n")
            if len(rules) != text.count("\nlogsource:") or rules[-1].end < 16 + len(text.rstrip()):
                missed.append(member.name)
    assert missed == []

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.plain import plain
from casemate.stages.export import render, render_text
from casemate.stages.export.plain import clip, columns, defang

from .cases import hostile_cases
from .sample import reviewed, sample


def test_every_section_of_the_sample_is_there() -> None:
    case, texts = sample()
    text = render(case, "text", texts).decode()
    for word in (
        "TLP:AMBER+STRICT",
        "UNREVIEWED DRAFT",
        "proposed: true positive, priority 1",
        "SUMMARY",
        "FINDINGS",
        "TECHNIQUES BY TACTIC",
        "TIMELINE",
        "OBSERVABLES",
        "EARLIER CASES",
        "ASK NEXT",
        "ISSUES",
        "RUN",
        "[1] examples/web01/auth.log:1",
        "evil-updates[.]example",
        "ambiguous, may be: G0016, G0007",
    ):
        assert word in text, word


def test_nothing_is_wider_than_asked() -> None:
    case, texts = sample()
    for width in (60, 80, 96, 120):
        lines = render_text(case, texts, width=width).splitlines()
        assert max(columns(line) for line in lines) <= width


def test_a_closed_case_names_who_decided_and_is_no_draft() -> None:
    case, texts = sample()
    text = render(reviewed(case), "text", texts).decode()
    assert "UNREVIEWED" not in text
    assert "true positive, decided by mara.lindqvist (analyst)" in text
    assert "[rejected]" in text


def test_colour_is_ours_alone() -> None:
    case, texts = sample()
    coloured = render_text(case, texts, colour=True)
    assert "\x1b[1;31m" in coloured
    bare = coloured
    for code in ("1", "1;31", "33", "2", "32", "0"):
        bare = bare.replace(f"\x1b[{code}m", "")
    assert "\x1b" not in bare
    assert bare == render_text(case, texts)


def test_a_case_with_nothing_in_it_is_shown() -> None:
    case, texts = sample()
    empty = dataclasses.replace(
        case,
        findings=(),
        observables=(),
        timeline=(),
        related=(),
        issues=(),
        passages=(),
        assessment=dataclasses.replace(case.assessment, summary=(), questions=()),
    )
    assert "Nothing was found" in render_text(empty, texts)


@settings(max_examples=40, deadline=None)
@given(hostile_cases())
def test_no_control_character_reaches_the_terminal(made) -> None:
    text = render(made[0], "text", made[1]).decode()
    assert all(char == "\n" or char.isprintable() for char in text)
    assert max(columns(line) for line in text.splitlines()) <= 96


@given(st.text())
def test_plain_text_is_printable_and_stays_so(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)


def test_plain_shows_what_was_hidden() -> None:
    assert (
        plain("a\x1b[31m\u202eb\x00\n\x9b\ufe0f\U000e0041é漢") == "a\\x1b[31m\\u202eb\\x00\\n\\x9b\\ufe0f\\U000e0041é漢"
    )


@given(st.text(), st.integers(1, 40))
def test_clipping_keeps_to_the_width(text: str, width: int) -> None:
    assert columns(clip(plain(text), width)) <= width


def test_defanging() -> None:
    assert defang("ipv4-addr", "192.0.2.1") == "192[.]0[.]2[.]1"
    assert defang("url", "https://a.example/b.php?x=1") == "hxxps[://]a[.]example/b.php?x=1"
    assert defang("email-addr", "a@b.example") == "a[@]b[.]example"
    assert defang("mutex", "a.b") == "a.b"

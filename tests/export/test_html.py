import os
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings

from casemate.stages.export import render
from casemate.stages.export.excerpts import excerpts_of
from casemate.stages.export.view import number_citations

from .cases import hostile_cases
from .sample import HOSTILE, held, reviewed, sample

TAGS = """html head meta title style body div strong header span h1 p dl dt dd nav a main section h2 h3 ol ul li table
thead tbody tr th td br svg line text g circle rect article pre details summary code i mark footer"""
ATTRIBUTES = """lang charset http-equiv content name role class id href title aria-label width height x1 x2 y1 y2 x y rx
cx cy r text-anchor open"""


class Page(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.comments = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_comment(self, data):
        self.comments += 1

    def handle_data(self, data):
        self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, each, value in self.attributes if each == name]


def page_of(case, texts) -> Page:
    return Page(render(case, "html", texts).decode())


def test_the_sample_has_every_section_and_every_citation_leads_somewhere() -> None:
    page = page_of(*sample())
    ids = set(page.values("id"))
    assert ids >= {
        "summary",
        "findings",
        "techniques",
        "timeline",
        "payloads",
        "observables",
        "evidence",
        "related",
        "run",
    }
    assert all(href.removeprefix("#") in ids for href in page.values("href"))
    assert len(page.values("id")) == len(ids)
    words = " ".join(page.words)
    assert "Unreviewed draft." in words
    assert "TLP:AMBER+STRICT" in words
    assert "The MITRE Corporation" in words


def test_a_closed_case_is_no_draft() -> None:
    case, texts = sample()
    page = render(reviewed(case), "html", texts).decode()
    assert "nreviewed draft" not in page
    assert "UNREVIEWED" not in page
    assert "mara.lindqvist" in page


def test_nothing_is_asked_of_any_host_and_nothing_runs() -> None:
    page = page_of(*sample())
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value)
    assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'", policy)
    assert all(href.startswith("#") for href in page.values("href"))
    style = render(sample()[0], "html", sample()[1]).decode().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_cited_words_are_marked_in_their_lines() -> None:
    case, texts = sample()
    notes = number_citations(case, texts)
    for excerpt in excerpts_of(case, texts, notes, 200_000):
        lines = [line for window in excerpt.windows for line in window.lines]
        anchors = [number for line in lines for segment in line.segments for number in segment.anchors]
        own = [note.number for span, note in notes.items() if span.evidence == excerpt.evidence.id]
        assert sorted(anchors) == sorted(own)
        for line in lines:
            whole = "".join(segment.text for segment in line.segments)
            received = texts.texts[excerpt.evidence.id].split("\n")
            assert whole in received[int(line.label) - 1] if line.label else True


def test_evidence_over_the_limit_or_not_kept_is_shown_as_its_quotes() -> None:
    case, texts = sample()
    notes = number_citations(case, texts)
    for made in (excerpts_of(case, texts, notes, 300), excerpts_of(case, held(), notes, 10_000)):
        shown = [
            n
            for excerpt in made
            for window in excerpt.windows
            for line in window.lines
            for s in line.segments
            for n in s.anchors
        ]
        quoted = [note.number for excerpt in made for note in excerpt.quoted]
        assert sorted(shown + quoted) == [note.number for note in notes.values()]
        assert quoted


@settings(max_examples=30, deadline=None)
@given(hostile_cases())
def test_evidence_makes_no_element_no_attribute_and_no_hidden_text(made) -> None:
    page = page_of(*made)
    assert set(page.tags) <= set(TAGS.split())
    assert {name for _, name, _ in page.attributes} <= set(ATTRIBUTES.split())
    assert page.tags["style"] == page.tags["title"] - page.tags["g"] == page.tags["body"] == 1
    assert page.tags["svg"] <= 1
    assert page.comments == 0
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"#[\w-]+", href) and href[1:] in ids for href in page.values("href"))
    assert all(re.fullmatch(r"[a-z0-9 +-]*", name) for name in page.values("class"))
    assert all(char == "\n" or char.isprintable() for words in page.words for char in words)


@pytest.mark.browser
def test_a_browser_shows_the_report_and_runs_nothing(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        if os.environ.get("CASEMATE_REQUIRE_BROWSER"):
            pytest.fail("CASEMATE_REQUIRE_BROWSER is set and there is no Chromium")
        pytest.skip("no Chromium on this machine")
    case, texts = sample()
    path = tmp_path / "report.html"
    path.write_bytes(render(case, "html", texts))
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-sync",
        "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--hide-scrollbars",
    ]
    for width in (1280, 500):
        shot = tmp_path / f"{width}.png"
        subprocess.run(
            [chromium, *flags, f"--window-size={width},2000", f"--screenshot={shot}", path.as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )
        assert shot.read_bytes().startswith(b"\x89PNG")
        assert shot.stat().st_size > 30_000
    dom = subprocess.run(
        [chromium, *flags, "--enable-logging=stderr", "--v=0", "--dump-dom", path.as_uri()],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    page = Page(dom.stdout)
    assert set(page.tags) <= set(TAGS.split())
    assert "Content Security Policy" not in dom.stderr
    assert any(HOSTILE[0] in words for words in page.words)

"""What axe finds on every page in a real browser, and the contrast of the style sheet's colours by arithmetic."""

import json
import re
from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest
from fastapi import FastAPI

from casemate.audit import NewAuditEvent
from casemate.core.assessment import Disposition
from casemate.core.case import Case, Decision, Review, State, Verdict
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Baseline
from casemate.store import Store, owner_name
from casemate.web.app import STATIC
from casemate.web.passwords import hash_password
from tests.store.samples import NOW

from .chromium import Browser
from .conftest import PASSWORD
from .sample import store_sample
from .test_browser import browser, measured, served, serving

__all__ = ["browser", "measured", "served"]

VIEWS = [(width, scheme, scripts) for width, scheme, scripts in product((1280, 390), ("light", "dark"), (True, False))]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TEXT_ON = [
    *product(("ink", "soft", "accent"), ("page", "card")),
    *product(("ink", "soft"), ("tint", "code")),
    *product(("ink", "soft", "accent", "bad", "mid", "low"), ("accent-tint",)),
    *product(("accent", "bad", "mid", "low"), ("tint",)),
    *product(("bad", "mid", "low"), ("page",)),
    *product(("bad", "mid", "low"), ("card",)),
    *((tone, f"{tone}-tint") for tone in ("bad", "mid", "low")),
    *product(("ink",), ("m1", "m2", "m3", "m4")),
    ("accent-ink", "accent"),
    ("card", "bad"),
    ("card", "mid"),
    ("top-ink", "top"),
    ("top-soft", "top"),
    ("mark-ink", "mark"),
    ("here-ink", "here"),
    ("accent", "code"),
]
"""Which colour of text stands on which ground; 4.5 to 1 (WCAG 2.2, 1.4.3)."""
SMALL = """
[...document.querySelectorAll("button, .button, select, summary, input:not([type=hidden])")]
    .map(one => [one, one.matches("[type=checkbox], [type=radio]") && one.closest("label") || one])
    .map(([one, whole]) => [one, whole.getBoundingClientRect()])
    .filter(([_one, box]) => box.width && (box.width < 24 || box.height < 24))
    .map(([one, box]) => [`${box.width} x ${box.height}`, one.outerHTML.slice(0, 120)])
"""
"""Controls that are smaller than 24 px either way (WCAG 2.2, 2.5.8); a label belongs to its box. Links are axe's."""
SHAPE_ON = [*product(("edge", "accent", "bad", "mid", "low"), ("page", "card")), ("edge", "tint"), ("top-ink", "top")]
"""Borders of inputs, focus rings and marks of charts; 3 to 1 (1.4.11)."""
WRITTEN_OUT = {
    ("#2a1d00", "#ffd54a"),  # what says that a case is a draft
    ("#0b1f3f", "#cfe3ff"),  # what says that a case is shown without proposals
    *((label, "#000") for label in ("#fff", "#ff5a5a", "#ffc000", "#33ff00")),  # as TLP 2.0 has them
}
"""Text and ground that are the same in light and dark; 4.5 to 1."""


def palettes() -> dict[str, dict[str, str]]:
    sheet = (STATIC / "casemate.css").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]
    first = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", light))
    return {"light": first, "dark": first | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", dark))}


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_keep_their_contrast(scheme: str):
    colours = palettes()[scheme]
    assert contrast("#000", "#fff") == pytest.approx(21)
    for least, pairs in ((4.5, TEXT_ON), (3.0, SHAPE_ON)):
        short = {pair: round(contrast(*(colours[name] for name in pair)), 2) for pair in pairs}
        assert {pair: ratio for pair, ratio in short.items() if ratio < least} == {}


def test_no_colour_of_the_sheet_is_without_a_pair():
    named = {name for pair in (*TEXT_ON, *SHAPE_ON) for name in pair}
    assert set(palettes()["light"]) - named == {"line"}, "the line between rows says nothing"
    rest = re.sub(r":root \{.*?\}", "", (STATIC / "casemate.css").read_text("utf-8"), flags=re.DOTALL)
    found = set(re.findall(r"#[0-9a-f]{3,8}\b", rest)) - {"#ffffff22"}  # a veil over the page that one is on
    assert found == {colour for pair in WRITTEN_OUT for colour in pair}
    assert not [pair for pair in WRITTEN_OUT if contrast(*pair) < 4.5]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_axe_finds_nothing_serious_on_any_page(store: Store, served: str, browser: Browser):
    made = store_sample(store)
    store.people().add("test", "grace", Role.ADMIN, Marking.RED, hash_password(PASSWORD))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    at = made.findings[0].citations[0].span
    base = f"/cases/{made.id}"
    paths = ["/sign-in", "/", "/cases", "/groups/1", base, f"{base}/evidence/{at.evidence}?at={at.start}"]
    paths += [f"{base}/observables", f"{base}/timeline", "/board", "/password", "/people", "/cases/C-none"]
    found = []
    for width, scheme, scripts in VIEWS:
        browser.show(width, 900, scheme)
        value, _session = store.people().sign_in("grace")
        for path in paths:
            if path == "/sign-in":
                browser.call("Network.clearBrowserCookies")
            else:
                browser.call("Network.setCookie", name="casemate_session", value=value, url=served)
            browser.call("Emulation.setScriptExecutionDisabled", value=not scripts)
            browser.open(served + path)
            browser.call("Emulation.setScriptExecutionDisabled", value=False)
            found += [(path, width, scheme, *one) for one in ask_axe(browser)]
    assert found == []


@pytest.mark.browser
@pytest.mark.slow
def test_axe_finds_nothing_serious_in_any_state_of_a_case(measured: FastAPI, store: Store, browser: Browser):
    made = store_sample(store)
    store.people().add("test", "grace", Role.ADMIN, Marking.RED, hash_password(PASSWORD))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    value, _session = store.people().sign_in("grace")
    taken = store.queue().take(owner_name("test"))
    assert taken is not None
    withheld, awaiting = (replace(made, id=f"C-{name}", related=()) for name in ("withheld", "awaiting"))
    all_drawn = Baseline(share=1.0, spare_priority=0, least_cases=5)
    store.save_case(withheld, _proposed(withheld), lease=taken[1], baseline=all_drawn)
    store.save_case(awaiting, _proposed(awaiting))
    verdicts = (
        Decision("F1", Verdict.ACCEPTED, "ada", NOW, "seen", "in better words"),
        Decision("F2", Verdict.REJECTED, "ada", NOW, "no"),
    )
    review = Review("ada", "analyst", NOW, verdicts, Disposition.FALSE_POSITIVE, "a known scanner")
    for one, state in ((made, State.CLOSED), (awaiting, State.AWAITING)):
        store.add_review(replace(one, state=state, reviews=(review,)), 1, _proposed(one))
    found = []
    with serving(measured) as served:
        browser.call("Network.setCookie", name="casemate_session", value=value, url=served)
        for width, scheme in ((1280, "light"), (390, "dark")):
            browser.show(width, 900, scheme)
            for path, words in (
                (f"/cases/{made.id}", "a known scanner"),
                (f"/cases/{awaiting.id}", "A second person has not confirmed"),
                (f"/cases/{withheld.id}", "NO PROPOSALS"),
                (f"/cases/{withheld.id}/observables", "NO PROPOSALS"),
                ("/people/grace", "Issue a token"),
                ("/board", "Minutes saved"),
            ):
                browser.open(served + path)
                assert words in browser.value("document.body.innerText"), path
                found += [(path, width, scheme, *one) for one in ask_axe(browser)]
                found += [(path, width, scheme, *one) for one in browser.value(SMALL)]
    assert found == []


def _proposed(made: Case) -> NewAuditEvent:
    return NewAuditEvent("casemate", "case.proposed", made.id)


def ask_axe(browser: Browser) -> list[list[str]]:
    """Give what axe calls serious or critical on the page that is open."""
    spec = find_spec("axe_core_python")
    assert spec is not None
    assert spec.origin is not None
    browser.value((Path(spec.origin).parent / "axe.min.js").read_text("utf-8") + ";0")
    rules = {"target-size": {"enabled": True}}
    options = json.dumps({"runOnly": TAGS, "rules": rules, "resultTypes": ["violations"]})
    told = browser.value(
        f"axe.run({options}).then(found => found.violations.map(one => "
        "[one.impact, one.id, one.nodes.slice(0, 3).map(node => node.html.slice(0, 160))]))"
    )
    assert told is not None
    return [one for one in told if one[0] in ("serious", "critical")]

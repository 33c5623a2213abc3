"""What axe finds on every page in a real browser, and the contrast of the style sheet's colours by arithmetic."""

import json
import re
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import Store
from casemate.web.app import STATIC
from casemate.web.passwords import hash_password

from .chromium import Browser
from .conftest import PASSWORD
from .sample import store_sample
from .test_browser import browser, served

__all__ = ["browser", "served"]

VIEWS = [(width, scheme, scripts) for width, scheme, scripts in product((1280, 390), ("light", "dark"), (True, False))]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TEXT_ON = [
    *product(("ink", "soft", "accent"), ("page", "card")),
    *product(("ink", "soft"), ("tint", "code")),
    *product(("ink", "accent"), ("accent-tint",)),
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
SHAPE_ON = [*product(("edge", "accent"), ("page", "card"))]
"""Borders of inputs, focus rings and marks of charts; 3 to 1 (1.4.11)."""


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


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_axe_finds_nothing_serious_on_any_page(store: Store, served: str, browser: Browser):
    spec = find_spec("axe_core_python")
    assert spec is not None
    assert spec.origin is not None
    axe = (Path(spec.origin).parent / "axe.min.js").read_text("utf-8")
    made = store_sample(store)
    store.people().add("test", "grace", Role.ADMIN, Marking.RED, hash_password(PASSWORD))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    at = made.findings[0].citations[0].span
    base = f"/cases/{made.id}"
    paths = ["/sign-in", "/", "/cases", "/groups/1", base, f"{base}/evidence/{at.evidence}?at={at.start}"]
    paths += [f"{base}/observables", f"{base}/timeline", "/board", "/password", "/people", "/cases/C-none"]
    options = json.dumps({"runOnly": TAGS, "resultTypes": ["violations"]})
    script = (
        f"axe.run({options}).then(found => found.violations.map(one => "
        "[one.impact, one.id, one.nodes.slice(0, 3).map(node => node.html.slice(0, 160))]))"
    )
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
            browser.value(axe + ";0")
            told = browser.value(script)
            assert told is not None, path
            found += [(path, width, scheme, *one) for one in told if one[0] in ("serious", "critical")]
    assert found == []

"""A whole review without a mouse: from the inbox to a closed case, the focus always to be seen."""

import pytest

from casemate.core.assessment import Disposition
from casemate.core.case import State, Verdict
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import Store
from casemate.web.passwords import hash_password

from .chromium import Browser
from .conftest import PASSWORD
from .sample import store_sample
from .test_browser import browser, served

__all__ = ["browser", "served"]

SEEN = """(() => {
    const one = document.activeElement, style = getComputedStyle(one);
    return one !== document.body && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
})()"""
FOCUS = "document.activeElement.outerHTML.slice(0, 100)"
MOST_TABS = 60


def press(browser: Browser, key: str, *, shift: bool = False) -> None:
    browser.press(key, shift=shift)
    assert browser.value(SEEN), f"nobody sees where the focus is after {key}: {browser.value(FOCUS)}"


def tab_to(browser: Browser, what: str, *, shift: bool = False) -> None:
    for _ in range(MOST_TABS):
        press(browser, "Tab", shift=shift)
        if browser.value(f"document.activeElement.matches({what!r})"):
            return
    pytest.fail(f"the keyboard does not reach {what}")


def enter(browser: Browser) -> None:
    browser.events.clear()
    browser.press("Enter")
    browser.wait("Page.loadEventFired")


@pytest.mark.browser
@pytest.mark.slow
def test_a_case_is_opened_judged_and_closed_by_keyboard(store: Store, served: str, browser: Browser):
    made = store_sample(store)
    store.people().add("test", "grace", Role.ANALYST, Marking.RED, hash_password(PASSWORD))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    browser.show(1280, 900, "light")
    browser.open(served + "/sign-in")
    browser.write("grace")
    press(browser, "Tab")
    browser.write(PASSWORD)
    enter(browser)
    for _ in range(MOST_TABS):
        press(browser, "j")
        if browser.value(f"document.activeElement.pathname === '/cases/{made.id}'"):
            break
    enter(browser)
    press(browser, "j")
    press(browser, "e")
    browser.write("In better words")
    press(browser, "Tab", shift=True)
    browser.write("read twice")
    enter(browser)
    press(browser, "j")
    second, third = made.findings[1].id, made.findings[2].id
    assert browser.value("document.activeElement.id") == f"f-{second}", "the next one, not the first again"
    press(browser, "j")
    browser.events.clear()
    browser.press("r")
    browser.wait("Page.loadEventFired")
    tab_to(browser, "[name=disposition]", shift=True)
    assert browser.value("document.querySelector('[name=disposition]:checked')") is None, "nobody has chosen yet"
    while browser.value("document.querySelector('[name=disposition]:checked')?.value") != "false-positive":
        press(browser, "ArrowDown")
    tab_to(browser, "[name=reason]")
    browser.write("a known scanner")
    tab_to(browser, "button.main")
    enter(browser)
    assert "a known scanner" in browser.value("document.getElementById('decide').innerText")
    decided = store.case(made.id)
    assert decided is not None
    assert (decided.state, decided.disposition) == (State.CLOSED, Disposition.FALSE_POSITIVE)
    said = {name: (one.verdict, one.wording, one.reason) for name, one in decided.verdicts().items()}
    assert said == {
        made.findings[0].id: (Verdict.ACCEPTED, "In better words", "read twice"),
        third: (Verdict.REJECTED, "", ""),
    }
    assert browser.complaints() == []


@pytest.mark.browser
@pytest.mark.slow
def test_nothing_moves_for_who_asked_for_less_motion(store: Store, served: str, browser: Browser):
    moves = """[...document.querySelectorAll("*")].filter(one => {
        const style = getComputedStyle(one);
        return style.animationName !== "none" || style.transitionDuration !== "0s" || style.scrollBehavior !== "auto";
    }).map(one => one.tagName)"""
    browser.open(served + "/sign-in")
    for asked, moving in (("no-preference", ["HTML"]), ("reduce", [])):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": asked}])
        assert browser.value(moves) == moving

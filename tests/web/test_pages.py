"""The pages as HTML: what they show, to whom, and what hostile evidence makes of them."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from casemate.core.alert import Group
from casemate.core.case import Case
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Policy
from casemate.store import GroupQuery, Store
from casemate.web.app import make_app
from casemate.web.passwords import hash_password
from casemate.web.site import Site
from tests.export.sample import HOSTILE

from .conftest import PASSWORD, Planted, secret
from .sample import store_sample, store_text

ATTRIBUTES = set(
    re.split(
        r"\s+",
        """lang charset name content rel href type src defer class id role method action value title placeholder
maxlength for selected checked min max inputmode required disabled open tabindex download datetime rel autocomplete
autofocus data-row data-live width height x y x1 x2 y1 y2 cx cy r rx viewbox preserveaspectratio text-anchor minlength
aria-label aria-labelledby aria-current aria-hidden scope""",
    )
)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.comments = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        self.comments += 1

    def all(self, name: str) -> list[str]:
        return [found[name] for _tag, found in self.tags if name in found]


@pytest.fixture
def made(store: Store) -> Case:
    return store_sample(store)


def sign_in(store: Store, app: FastAPI, role: Role, clearance: Marking = Marking.RED) -> TestClient:
    name = f"{role.value}-person"
    store.people().add("test", name, role, clearance, hash_password(PASSWORD))
    store.people().set_password("test", name, hash_password(PASSWORD), first=False)
    client = TestClient(app, follow_redirects=False)
    assert client.post("/sign-in", data={"name": name, "password": PASSWORD}).status_code == 303
    return client


def pages_of(case: Case) -> list[str]:
    base = f"/cases/{case.id}"
    pieces = [f"{base}/evidence/{piece.id}" for piece in case.evidence]
    return [
        "/",
        "/?closed=1",
        "/cases",
        "/groups/1",
        base,
        f"{base}/observables",
        f"{base}/timeline",
        "/board",
        *pieces,
    ]


def test_every_page_keeps_hostile_evidence_to_text(made: Case, store: Store, app: FastAPI):
    for text in HOSTILE:
        store_text(store, text, text)
    browser = sign_in(store, app, Role.ANALYST)
    for path in pages_of(made):
        answer = browser.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text[:500]}"
        assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
        page = Page(answer.text)
        assert page.comments == 0
        assert {name for _tag, found in page.tags for name in found} <= ATTRIBUTES, path
        assert [found for tag, found in page.tags if tag == "script"] == [{"src": "/static/casemate.js", "defer": ""}]
        assert not [tag for tag, _found in page.tags if tag in ("img", "style", "iframe", "b", "object")]
        assert all(link.startswith(("/", "#")) and "//" not in link for link in page.all("href") + page.all("src"))
        ids = page.all("id")
        assert len(ids) == len(set(ids)), path
        shown = page.words + page.all("title") + page.all("value") + page.all("placeholder")
        assert not [one for words in shown for one in words if one != "\n" and not one.isprintable()], path


def test_links_inside_the_case_lead_somewhere(made: Case, store: Store, app: FastAPI):
    browser = sign_in(store, app, Role.ANALYST)
    page = Page(browser.get(f"/cases/{made.id}").text)
    ids = set(page.all("id"))
    assert {link[1:] for link in page.all("href") if link.startswith("#")} <= ids
    for link in sorted({link for link in page.all("href") if link.startswith("/") and "/static/" not in link}):
        assert browser.get(link.partition("#")[0]).status_code == 200, link


def test_every_sentence_lights_up_its_evidence(made: Case, store: Store, app: FastAPI):
    browser = sign_in(store, app, Role.READER)
    text = browser.get(f"/cases/{made.id}").text
    sheet = browser.get("/static/lights.css").text
    for number, sentence in enumerate(made.assessment.summary, 1):
        assert re.search(rf'<li class="s{number}"><a class="says" href="#c\d+">', text)
        assert text.count(f'class="anchor e{number}') + text.count(f" e{number}") >= len(sentence.citations)
        assert f".s{number}:is(:hover, :focus-within)) .anchor.e{number} + mark" in sheet


def test_what_nobody_has_decided_says_so(made: Case, store: Store, app: FastAPI):
    browser = sign_in(store, app, Role.ANALYST)
    for path in ("/", "/cases", f"/cases/{made.id}", f"/cases/{made.id}/evidence/{made.evidence[0].id}"):
        assert "unreviewed draft" in browser.get(path).text.casefold()
    key = browser.get("/api/v1/me").json()["form_key"]
    form = {"form_key": key, "revision": "1", "disposition": "false-positive", "reason": "a known scanner"}
    answer = browser.post(f"/cases/{made.id}/review", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{made.id}#decide")
    text = browser.get(f"/cases/{made.id}").text
    assert "UNREVIEWED" not in text
    assert "a known scanner" in text
    assert "analyst-person" in text


def test_findings_are_judged_by_form(made: Case, store: Store, app: FastAPI):
    browser = sign_in(store, app, Role.ANALYST)
    path = f"/cases/{made.id}/review"
    key = {"form_key": browser.get("/api/v1/me").json()["form_key"]}
    first = {
        "revision": "1",
        "finding": "F1",
        "verdict": "accepted",
        "wording": "Guessed <passwords>",
        "reason": "seen",
    }
    assert browser.post(path, data=first).status_code == 403, "without the form's key"
    assert browser.post(path, data=first | key).headers["location"] == f"/cases/{made.id}#f-F1"
    assert browser.post(path, data=first | key).status_code == 409, "the case has changed since"
    second = {"revision": "2", "finding": "F2", "verdict": "rejected", "reason": "no"}
    assert browser.post(path, data=second | key).status_code == 303
    for wrong in ({"finding": "F99", "verdict": "accepted"}, {"finding": "F2"}, {"disposition": "odd"}, {}):
        assert browser.post(path, data={"revision": "3", **key, **wrong}).status_code == 400
    text = browser.get(f"/cases/{made.id}").text
    assert "Guessed &lt;passwords&gt;" in text
    assert "Rejected by analyst-person" in text
    decided = store.case(made.id)
    assert decided is not None
    assert {name: one.verdict.value for name, one in decided.verdicts().items()} == {"F1": "accepted", "F2": "rejected"}


def test_forms_follow_the_role(made: Case, store: Store):
    app = make_app(Site(store, Policy(deciding_roles=("reviewer",)), hosts=()))
    path = f"/cases/{made.id}"
    reader = sign_in(store, app, Role.READER).get(path).text
    assert "/review" not in reader
    analyst = sign_in(store, app, Role.ANALYST).get(path).text
    assert 'name="verdict" value="accepted"' in analyst
    assert 'name="disposition"' not in analyst
    assert "A disposition is set by: reviewer" in analyst
    reviewer = sign_in(store, app, Role.REVIEWER).get(path).text
    assert 'name="disposition" value="true-positive"' in reviewer
    assert "checked" not in reviewer, "the proposal is not chosen for anybody beforehand"


def test_evidence_is_shown_by_windows_of_lines(store: Store, app: FastAPI, made: Case):
    browser = sign_in(store, app, Role.READER)
    base = f"/cases/{made.id}/evidence/{made.evidence[0].id}"
    text = browser.get(base).text
    assert "<mark>" in text
    assert ">1</span>" in text
    last = made.findings[0].citations[0]
    base = f"/cases/{made.id}/evidence/{last.span.evidence}"
    around = browser.get(base, params={"at": last.span.start}).text
    assert re.search(rf'id="here"><span class="no">{last.line}</span>', around)
    assert "No such line" in browser.get(base, params={"line": 10**9}).text
    assert browser.get(f"/cases/{made.id}/evidence/{'0' * 64}").status_code == 404


def test_the_inbox_filters_and_pages(made: Case, store: Store, app: FastAPI):
    browser = sign_in(store, app, Role.READER, Marking.GREEN)
    seen = browser.get("/").text
    assert seen.count("data-row") == 3, "what is amber does not exist here"
    assert "TLP:AMBER" not in seen.replace(f"{Marking.GREEN.label}", "")
    assert browser.get("/", params={"marking": "clear"}).text.count("data-row") == 1
    assert browser.get("/", params={"q": "listened PORTS"}).text.count("data-row") == 1
    assert browser.get("/", params={"priority": "1"}).text.count("data-row") in (0, 1)
    assert browser.get("/", params={"state": "waiting", "disposition": ""}).text.count("data-row") == 3
    hours = {row.number: (datetime.now(UTC) - row.last_seen).total_seconds() / 3600 for row in groups_of(store)}
    for age, fits in {"1h": (0, 1), "8h": (0, 8), "24h": (0, 24), "over-8h": (8, 1e9), "over-24h": (24, 1e9)}.items():
        expected = sum(fits[0] <= one < fits[1] for one in hours.values())
        assert browser.get("/", params={"age": age}).text.count("data-row") == expected, age
    for wrong in ({"age": "2h"}, {"priority": "9"}, {"priority": "12"}, {"state": "odd"}, {"marking": "blue"}):
        assert browser.get("/", params=wrong).status_code == 400
    assert browser.get("/", params={"after": "nonsense"}).status_code == 404


def groups_of(store: Store) -> tuple[Group, ...]:
    return store.cleared(Marking.GREEN).groups(GroupQuery(), 50).rows


def test_reading_red_evidence_on_a_page_is_recorded(planted: dict[Marking, Planted], ada: TestClient, store: Store):
    red = planted[Marking.RED]
    for path in (f"/cases/{red.case_id}", f"/cases/{red.case_id}/evidence/{red.evidence}"):
        before = len(store.history(red.case_id))
        assert secret(Marking.RED) in ada.get(path).text
        assert store.history(red.case_id)[-1].action == "evidence.viewed"
        assert len(store.history(red.case_id)) == before + 1


def test_the_board_counts_what_the_clearance_reaches(made: Case, store: Store, app: FastAPI):
    analyst = sign_in(store, app, Role.ANALYST)
    key = analyst.get("/api/v1/me").json()["form_key"]
    form = {"form_key": key, "revision": "1", "finding": "F1", "verdict": "accepted"}
    analyst.post(f"/cases/{made.id}/review", data=form)
    decide = {"form_key": key, "revision": "2", "disposition": "false-positive"}
    analyst.post(f"/cases/{made.id}/review", data=decide)
    board = store.cleared(Marking.RED).board(14)
    assert board.days[-1].alerts + board.days[-2].alerts == sum(3 + 40 * (place % 3) for place in range(6))
    assert sum(day.decided for day in board.days) == 1
    said = {(maker.about, maker.name): (maker.weeks[-1].agreed, maker.weeks[-1].judged) for maker in board.makers}
    assert [count for (about, _name), count in said.items() if about == "disposition"] == [(0, 1)]
    assert [count for (about, _name), count in said.items() if about == "finding"] == [(1, 1)]
    assert (len(board.first_looks), len(board.decisions)) == (0, 1)
    analyst.get(f"/cases/{made.id}")
    assert len(store.cleared(Marking.RED).board(14).first_looks) == 1
    below = store.cleared(Marking.CLEAR).board(14)
    assert (sum(day.alerts for day in below.days), below.makers, below.decisions) == (43, (), ())
    assert "43 alerts" in sign_in(store, app, Role.READER, Marking.CLEAR).get("/board").text

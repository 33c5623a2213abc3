"""Hostile words and numbers by every door of the service, in every database: taken, found, shown, or refused."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Policy
from casemate.store import Store
from casemate.web.app import make_app
from casemate.web.bucket import Buckets
from casemate.web.site import Site

from .conftest import Planted, plant, token_of

LINES = {"Content-Type": "application/x-ndjson"}
WORDS = (
    "'; DROP TABLE alert_groups; --",
    '"quoted" \\ back\\slash \\x00',
    "100% of_all [a-z]* ?/ ~^|",
    "%(rule)s %s {0} ${jndi:ldap://x} :rule :1 $1 @@x",
    "NUL\x00inside",
    "half \ud800 a pair \udfff",
    "line\u2028feed\u2029\r\n\ttab\x1b[31m",
    "\u202egnp.exe zero\u200bwidth \ufeff",
    "Straße ÄRGER İstanbul ﬁle Ǆ",
    "日本 \U0001f600 \U0010ffff é é",
    "\\u0000 \\000 E'\\\\' $$ $tag$ /* -- */",
)
FAR = (0, -1, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 10**30, -(2**63) - 1)


@pytest.fixture(scope="module")
def store(lasting_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(lasting_url, tmp_path_factory.mktemp("audit")) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(store: Store) -> FastAPI:
    return make_app(Site(store, Policy(), hosts=(), sign_ins=Buckets(10_000, 1.0)))


@pytest.fixture(scope="module")
def ada(store: Store, app: FastAPI) -> TestClient:
    headers = {"Authorization": f"Bearer {token_of(store, Role.ADMIN, Marking.RED)}"}
    return TestClient(app, headers=headers, follow_redirects=False)


@pytest.fixture(scope="module")
def planted(store: Store) -> Planted:
    return plant(store, Marking.GREEN)


def alert(word: str, number: object = 0) -> bytes:
    record = {
        "rule": {"level": 5, "id": f"r{number}", "description": f"said {word} of r{number}"},
        "agent": {"name": f"host {word}"},
        "full_log": f"log {word}",
    }
    return json.dumps(record).encode() + b"\n"


def test_words_come_in_are_found_and_shown(ada: TestClient, store: Store):
    for word in WORDS:
        said = {"X-Casemate-Source": re.sub(r"[^ -~]", "?", word), "Idempotency-Key": re.sub(r"[^ -~]", "?", word)}
        answers = [ada.post("/api/v1/evidence", content=alert(word), headers=LINES | said) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
        (number,) = answers[0].json()["groups"]
        group = ada.get(f"/api/v1/groups/{number}").json()
        assert group["count"] == 1, "the key holds, whatever is in it"
        for path in ("/", f"/groups/{number}", f"/api/v1/groups/{number}/alerts"):
            answer = ada.get(path)
            assert answer.status_code == 200, path
            assert "\x00" not in answer.text
        for part in word.split():
            found = ada.get("/api/v1/groups", params={"q": part.encode("utf-8", "replace").decode()})
            assert found.status_code == 200, part
            if part.isprintable():
                assert number in [one["number"] for one in found.json()["items"]], part
        asked = {"q": word.encode("utf-8", "replace").decode()}
        for path in ("/api/v1/cases", "/cases", "/"):
            assert ada.get(path, params=asked).status_code == 200, path
    assert store.verify_audit() == ()


def test_what_stands_for_any_text_elsewhere_stands_for_itself(ada: TestClient):
    sent = alert("plain", "wild") + alert("x_y", "wild") + alert("9%", "wild")
    assert ada.post("/api/v1/evidence", content=sent, headers=LINES).json()["opened"] == 3
    for word, count in (("", 3), ("%", 1), ("_", 1), ("x_y", 1), ("xay", 0), ("9%", 1), ("/", 0), ("\\", 0), ("/%", 0)):
        found = ada.get("/api/v1/groups", params={"q": f"rwild {word}"}).json()["items"]
        assert len(found) == count, word


@pytest.mark.parametrize("number", FAR)
def test_numbers_are_answered_or_refused_and_never_break(number: int, ada: TestClient, planted: Planted):
    target = planted
    case = f"/api/v1/cases/{target.case_id}"
    asked = [
        (f"/api/v1/groups/{number}", {}),
        (f"/api/v1/groups/{number}/alerts", {}),
        (f"/api/v1/jobs/{number}", {}),
        (f"/groups/{number}", {}),
        ("/api/v1/groups", {"priority": number}),
        ("/api/v1/groups", {"limit": number}),
        ("/", {"priority": number}),
        (f"{case}/evidence/{target.evidence}", {"first": number}),
        (f"{case}/evidence/{target.evidence}", {"count": number}),
        (f"/cases/{target.case_id}/evidence/{target.evidence}", {"line": number}),
        (f"/cases/{target.case_id}/evidence/{target.evidence}", {"at": number}),
    ]
    for path, query in asked:
        status = ada.get(path, params=query).status_code
        assert status in (200, 400, 404), f"{path} {query}: {status}"
    for path, values in (
        ("/api/v1/groups", [number, "2026", number]),
        ("/api/v1/groups", [1, "x\x00\ud800", number]),
        ("/api/v1/cases", ["\x00", "\udfff"]),
        ("/api/v1/jobs", [number]),
        (f"/api/v1/groups/{target.number}/alerts", [number]),
        (f"{case}/observables", [number]),
        (f"{case}/timeline", [number]),
    ):
        cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        status = ada.get(path, params={"cursor": cursor}).status_code
        assert status in (200, 404), f"{path} {values}: {status}"
    answer = ada.post(f"{case}/reviews", json={"revision": number, "reason": "seen"})
    assert answer.status_code in (400, 409), answer.text
    form = {"revision": str(number), "reason": "seen"}
    assert ada.post(f"/cases/{target.case_id}/review", data=form).status_code in (400, 409)
    for retried in (f"/api/v1/jobs/{number}/retry",):
        assert ada.post(retried).status_code in (400, 404)


def test_words_in_a_review_are_kept_and_shown_as_text(ada: TestClient, planted: Planted, store: Store):
    case = f"/api/v1/cases/{planted.case_id}"
    revision = 1
    for word in WORDS:
        verdict = {"finding": "F1", "verdict": "accepted", "reason": word}
        for wording in ("", word):
            sent = json.dumps({"revision": revision, "decisions": [verdict | {"wording": wording}], "reason": word})
            answer = ada.post(f"{case}/reviews", content=sent, headers={"Content-Type": "application/json"})
            assert answer.status_code in (201, 400), answer.text
            accepted = answer.status_code == 201
            assert accepted or not word.isprintable() or "\U0010ffff" in word, answer.text
            revision += accepted
        for path in (case, f"/cases/{planted.case_id}", f"{case}/history", f"{case}/export?format=html"):
            assert ada.get(path).status_code == 200, path
        odd = {"revision": revision, "decisions": [{"finding": word, "verdict": "accepted"}]}
        sent = json.dumps(odd)
        answer = ada.post(f"{case}/reviews", content=sent, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, answer.text
    assert revision > len(WORDS)
    assert store.verify_audit() == ()


@pytest.mark.parametrize("word", WORDS, ids=ascii)
def test_names_and_passwords_of_strangers_open_nothing(word: str, app: FastAPI, ada: TestClient, store: Store):
    stranger = TestClient(app, follow_redirects=False)
    text = word.encode("utf-8", "replace").decode()
    for name, password in ((text, "x"), ("admin-red", text), (text, text)):
        assert stranger.post("/sign-in", data={"name": name, "password": password}).status_code in (400, 401)
    raw = re.sub(rb"[\r\n\x00-\x1f]", b"", word.encode("utf-8", "replace"))
    for headers in ({b"Authorization": b"Bearer " + raw}, {b"Cookie": b"casemate_session=" + raw}):
        assert stranger.get("/api/v1/me", headers=headers).status_code in (400, 401)
    made = ada.post("/api/v1/people", json={"name": text, "role": "reader", "clearance": "clear"})
    assert made.status_code == 400, "a name is letters, digits and a few marks"
    for path in (f"/api/v1/people/{quote(text, safe='')}", f"/api/v1/cases/{quote(text, safe='')}"):
        assert ada.get(path).status_code in (400, 404), path
    token = ada.post("/api/v1/people/admin-red/tokens", json={"name": text, "scopes": ["read"]})
    assert token.status_code in (201, 400), token.text
    assert store.verify_audit() == ()


def test_times_are_of_one_zone_whatever_zone_the_sender_writes(ada: TestClient, store: Store):
    times = ("2026-03-01T23:30:00.000-0500", "2026-03-02T01:00:00.000+0000", "2026-03-02T09:00:00.000+0545")
    sent = b"".join(
        json.dumps({"timestamp": time, "rule": {"level": 5, "id": "zone"}, "full_log": "x"}).encode() + b"\n"
        for time in times
    )
    answer = ada.post("/api/v1/evidence", content=sent, headers=LINES)
    assert answer.status_code == 202
    (number,) = answer.json()["groups"]
    group = ada.get(f"/api/v1/groups/{number}").json()
    assert (group["first_seen"], group["last_seen"]) == ("2026-03-02T01:00:00Z", "2026-03-02T04:30:00Z")


def test_headers_that_name_no_address_are_refused(ada: TestClient, app: FastAPI, store: Store):
    browser = TestClient(app, follow_redirects=False)
    value, _session = store.people().sign_in("admin-red")
    for odd in (b"[", b"[::1", b"a]b"):
        for path in ("/", "/sign-in", "/healthz", "/api/v1/cases", "/nowhere"):
            answer = ada.get(path, headers={b"Host": odd})
            assert answer.status_code == 400, (path, odd)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
    for odd in (b"http://[", b"http://]", b"null", b"\xff", b"https://elsewhere.example"):
        headers = {b"Origin": odd, b"Cookie": f"casemate_session={value}".encode()}
        assert browser.post("/sign-out", headers=headers).status_code == 403, odd
        form = {"name": "admin-red", "password": "x"}
        assert browser.post("/sign-in", data=form, headers={b"Origin": odd}).status_code == 403, odd

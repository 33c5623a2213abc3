"""The API as a client meets it: evidence in, cases out, decisions, and everything that is refused."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import Store
from tests.store.samples import behind

from .conftest import PASSWORD, Planted, secret, token_of
from .sample import store_sample

LINES = {"Content-Type": "application/x-ndjson"}


def lines(count: int, rule: str = "r") -> bytes:
    records = (
        {"rule": {"level": 5, "id": rule}, "agent": {"name": "h"}, "full_log": f"said {n}"} for n in range(count)
    )
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def alerts_stored(store: Store) -> int:
    return sum(group.count for group in store.cleared(Marking.RED).groups(_all(), 200).rows)


def _all():
    from casemate.store import GroupQuery

    return GroupQuery(open=None)


def test_alerts_that_say_the_same_join_one_group(ada: TestClient, store: Store):
    answer = ada.post("/api/v1/evidence", content=lines(2500), headers=LINES)
    assert answer.status_code == 202
    assert (answer.json()["alerts"], answer.json()["opened"]) == (2500, 1)
    (group,) = ada.get("/api/v1/groups").json()["items"]
    assert (group["count"], group["entity"], group["state"]) == (2500, "h", "waiting")
    assert store.queue().waiting() == 1
    page = ada.get(f"/api/v1/groups/{group['number']}/alerts", params={"limit": 2}).json()
    assert [json.loads(one["text"])["full_log"] for one in page["items"]] == ["said 0", "said 1"]
    rest = ada.get(f"/api/v1/groups/{group['number']}/alerts", params={"limit": 1, "cursor": page["next"]}).json()
    assert json.loads(rest["items"][0]["text"])["full_log"] == "said 2"


def test_groups_are_found_by_when_they_were_seen_last(ada: TestClient, store: Store):
    store_sample(store)
    whole = ada.get("/api/v1/groups").json()["items"]
    border = sorted(one["last_seen"] for one in whole)[2]
    for name, expected in (
        ("seen_since", {one["number"] for one in whole if one["last_seen"] >= border}),
        ("seen_before", {one["number"] for one in whole if one["last_seen"] < border}),
    ):
        found = ada.get("/api/v1/groups", params={name: border}).json()["items"]
        assert {one["number"] for one in found} == expected
        assert 0 < len(expected) < len(whole)
    elsewhere = datetime.fromisoformat(border).astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
    assert ada.get("/api/v1/groups", params={"seen_since": elsewhere}).json()["items"] != []
    for wrong in ("yesterday", "2026-11-22T10:00:00", "0001-01-01T00:00:00+14:00"):
        assert ada.get("/api/v1/groups", params={"seen_since": wrong}).status_code == 400


def test_json_lines_are_known_without_a_content_type(ada: TestClient):
    plain = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl --data-binary says
    assert ada.post("/api/v1/evidence", content=lines(3), headers=plain).json()["alerts"] == 3
    assert ada.post("/api/v1/evidence", content=b"no JSON\nat all\n", headers=plain).json()["alerts"] == 1
    pretty = json.dumps({"a": {"b": 1}}, indent=1).encode()
    assert ada.post("/api/v1/evidence", content=pretty).json()["alerts"] == 1


def test_a_file_again_joins_the_first(ada: TestClient, store: Store):
    first = ada.post("/api/v1/evidence", content=b"\x00\x01", headers={"X-Casemate-Source": "a.bin"}).json()
    again = ada.post("/api/v1/evidence", content=b"\x00\x01", headers={"X-Casemate-Source": "b.bin"}).json()
    assert (first["opened"], again["opened"], first["groups"]) == (1, 0, again["groups"])
    other = ada.post("/api/v1/evidence", content=b"\x00\x01", headers={"X-Casemate-Marking": "red"}).json()
    assert other["opened"] == 1, "under another marking it is another group"


def test_a_request_with_a_key_is_stored_once(ada: TestClient, store: Store):
    keyed = {**LINES, "Idempotency-Key": "k1"}
    first = ada.post("/api/v1/evidence", content=lines(1500), headers=keyed).json()
    again = ada.post("/api/v1/evidence", content=lines(1500), headers=keyed)
    assert again.status_code == 202
    assert (first["alerts"], again.json()["alerts"], again.json()["resumed"]) == (1500, 1500, 1500)
    assert alerts_stored(store) == 1500
    for other in (lines(1501), lines(1499), lines(1500, "other")):
        assert ada.post("/api/v1/evidence", content=other, headers=keyed).status_code == 409
    assert alerts_stored(store) == 1500


def test_a_request_that_was_cut_off_goes_on_where_it_stopped(ada: TestClient, store: Store):
    whole = lines(2500)
    cut = whole[: whole.index(b"said 2200")]

    def broken():
        yield cut
        raise ConnectionError("the network went away")

    keyed = {**LINES, "Idempotency-Key": "k2"}
    with pytest.raises(ConnectionError):
        ada.post("/api/v1/evidence", content=broken(), headers=keyed)
    ada.app.state.intake.under_way.clear()  # type: ignore[attr-defined]
    before = alerts_stored(store)
    answer = ada.post("/api/v1/evidence", content=whole, headers=keyed).json()
    assert (answer["alerts"], answer["resumed"]) == (2500, before)
    assert alerts_stored(store) == 2500


def test_nothing_is_an_error_and_no_marking_above_the_senders(client: TestClient, store: Store):
    client.headers["Authorization"] = f"Bearer {token_of(store, Role.ANALYST, Marking.GREEN)}"
    green = {"X-Casemate-Marking": "green"}
    assert client.post("/api/v1/evidence", content=b"", headers=green).status_code == 400
    assert client.post("/api/v1/evidence", content=b"\n\n", headers={**LINES, **green}).status_code == 400
    assert client.post("/api/v1/evidence", content=b"x", headers={"X-Casemate-Marking": "red"}).status_code == 403
    assert client.post("/api/v1/evidence", content=b"x").status_code == 403, "the default marking is amber"
    assert client.post("/api/v1/evidence", content=b"x", headers={"X-Casemate-Marking": "green"}).status_code == 202


def test_too_many_waiting_jobs_are_refused_for_a_while(ada: TestClient, app: FastAPI):
    app.state.intake._depth, app.state.intake._looked = 10**9, 10**12
    answer = ada.post("/api/v1/evidence", content=b"x")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_case_is_read_in_parts(ada: TestClient, planted: dict[Marking, Planted]):
    red = planted[Marking.RED]
    case = ada.get(f"/api/v1/cases/{red.case_id}").json()
    assert (case["observables"], case["timeline"], case["revision"]) == (1, 1, 1)
    path = f"/api/v1/cases/{red.case_id}"
    assert ada.get(f"{path}/observables", params={"q": "XYZZY"}).json()["items"][0]["type"] == "domain-name"
    assert ada.get(f"{path}/observables", params={"type": "url"}).json()["items"] == []
    assert len(ada.get(f"{path}/findings").json()["items"]) == 2
    assert len(ada.get(f"{path}/timeline").json()["items"]) == 1
    (line,) = ada.get(f"{path}/evidence/{red.evidence}", params={"first": 2}).json()["items"]
    assert (line["number"], line["start"], line["text"]) == (2, 11, f"{secret(Marking.RED)} second line")
    original = ada.get(f"{path}/evidence/{red.evidence}/original")
    assert original.content.startswith(b"first line")
    assert "attachment" in original.headers["content-disposition"]
    other = planted[Marking.AMBER]
    assert ada.get(f"{path}/evidence/{other.evidence}").status_code == 404


@pytest.mark.parametrize("name", ["text", "json", "markdown", "html", "stix", "misp", "navigator", "csv"])
def test_a_case_is_exported_and_the_export_recorded(name: str, ada: TestClient, store: Store, planted):
    case_id = planted[Marking.AMBER].case_id
    answer = ada.get(f"/api/v1/cases/{case_id}/export", params={"format": name})
    assert answer.status_code == 200
    assert answer.content
    assert store.history(case_id)[-1].action == "case.exported"


def test_a_person_accepts_rewords_rejects_and_closes(ada: TestClient, store: Store, planted):
    case_id = planted[Marking.GREEN].case_id
    path = f"/api/v1/cases/{case_id}/reviews"
    verdicts = [
        {"finding": "F1", "verdict": "accepted", "wording": "Guessing of passwords"},
        {"finding": "F2", "verdict": "rejected", "reason": "no such actor"},
    ]
    answer = ada.post(path, json={"revision": 1, "decisions": verdicts})
    assert (answer.status_code, answer.json()["state"], answer.json()["revision"]) == (201, "in-review", 2)
    assert ada.post(path, json={"revision": 1, "reason": "stale"}).status_code == 409
    assert ada.post(path, json={"revision": 2}).status_code == 400, "it decides nothing"
    odd = [{"finding": "F2", "verdict": "rejected", "wording": "x"}]
    assert ada.post(path, json={"revision": 2, "decisions": odd}).status_code == 400
    closed = ada.post(path, json={"revision": 2, "disposition": "false-positive", "reason": "a scanner"})
    assert closed.json()["state"] == "closed"
    shown = ada.get(f"/api/v1/cases/{case_id}").json()
    assert (shown["reviewed"], shown["disposition"], len(shown["related"])) == (True, "false-positive", 4)
    assert shown["findings"][0]["title"] == "Brute Force", "what the machine said stays"
    exported = ada.get(f"/api/v1/cases/{case_id}/export", params={"format": "json"}).json()
    assert exported["findings"][0]["title"] == "Guessing of passwords"
    assert [event["action"] for event in ada.get(f"/api/v1/cases/{case_id}/history").json()["items"]][:3] == [
        "case.proposed",
        "case.reviewed",
        "case.reviewed",
    ]
    assert store.verify_audit() == ()


def test_a_review_by_somebody_with_less_clearance_keeps_what_they_cannot_see(client: TestClient, store: Store, planted):
    client.headers["Authorization"] = f"Bearer {token_of(store, Role.ANALYST, Marking.GREEN)}"
    case_id = planted[Marking.GREEN].case_id
    given = {"revision": 1, "disposition": "true-positive"}
    assert client.post(f"/api/v1/cases/{case_id}/reviews", json=given).status_code == 201
    case = store.case(case_id)
    assert case is not None
    assert len(case.related) == 4


def test_reading_what_is_red_is_recorded_with_the_reader(ada: TestClient, store: Store, planted):
    before = len(store.history(planted[Marking.RED].case_id))
    ada.get(f"/api/v1/cases/{planted[Marking.RED].case_id}")
    ada.get(f"/api/v1/cases/{planted[Marking.AMBER].case_id}")
    told = store.history(planted[Marking.RED].case_id)[before:]
    assert [(event.action, event.actor) for event in told] == [("evidence.viewed", "admin-red")]
    assert store.history(planted[Marking.AMBER].case_id)[-1].action == "case.proposed"


def test_a_damaged_record_is_told_once_and_not_as_if_waiting_helped(ada: TestClient, planted, store: Store, url: str):
    red = planted[Marking.RED]
    with behind(url) as connection:
        swapped = f"(SELECT data FROM blobs WHERE digest <> '{red.evidence}' LIMIT 1)"
        connection.exec_driver_sql(f"UPDATE blobs SET data = {swapped} WHERE digest = '{red.evidence}'")
    answer = ada.get(f"/api/v1/cases/{red.case_id}/evidence/{red.evidence}/original")
    assert answer.status_code == 500
    assert "altered" in answer.json()["detail"]
    assert "backup" in answer.json()["way_out"]
    assert "Retry-After" not in answer.headers
    assert ada.get(f"/api/v1/cases/{red.case_id}").status_code == 200, "the rest goes on"


def test_a_dead_letter_is_tried_again(ada: TestClient, planted):
    (job, *_rest) = ada.get("/api/v1/jobs", params={"state": "dead"}).json()["items"]
    assert job["reason"] == "it failed"
    again = ada.post(f"/api/v1/jobs/{job['number']}/retry")
    assert again.json()["state"] == "waiting"
    assert ada.post(f"/api/v1/jobs/{job['number']}/retry").status_code == 409


def test_lists_are_paged_without_gaps_and_repetition(ada: TestClient, planted):
    for path in ("/api/v1/cases", "/api/v1/groups", "/api/v1/jobs"):
        whole = ada.get(path).json()["items"]
        found, cursor = [], ""
        while True:
            page = ada.get(path, params={"limit": 2, "cursor": cursor}).json()
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                break
        assert found == whole
        assert len(found) == 5
        assert ada.get(path, params={"cursor": "nonsense"}).status_code == 404


def test_changes_are_told_as_events(ada: TestClient, app: FastAPI, planted):
    app.state.stopping.set()
    text = ada.get("/api/v1/changes", params={"since": 0}).text
    assert text.count("event: group") == 5
    numbers = [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]
    assert numbers == sorted(numbers)
    later = ada.get("/api/v1/changes", headers={"Last-Event-ID": str(numbers[-2])}).text
    assert later.count("event: group") == 1


def test_a_form_from_elsewhere_changes_nothing(browser: TestClient):
    me = browser.get("/api/v1/me").json()
    content = {"content": b"x", "headers": {}}
    assert browser.post("/api/v1/evidence", **content).status_code == 403
    key = {"X-CSRF-Token": me["form_key"]}
    assert browser.post("/api/v1/evidence", content=b"x", headers=key).status_code == 202
    assert (
        browser.post("/api/v1/evidence", content=b"x", headers={**key, "Origin": "http://evil.example"}).status_code
        == 403
    )
    assert browser.post("/sign-out", data={"form_key": "wrong"}).status_code == 403
    assert browser.post("/sign-out", data={"form_key": me["form_key"]}).status_code == 303
    assert browser.get("/api/v1/me").status_code == 401


def test_signing_in_makes_a_new_session_and_a_new_password_ends_all(browser: TestClient, app: FastAPI):
    before = browser.cookies["casemate_session"]
    assert browser.post("/sign-in", data={"name": "grace", "password": PASSWORD}).status_code == 303
    assert browser.cookies["casemate_session"] != before
    key = browser.get("/api/v1/me").json()["form_key"]
    weak = {"old": PASSWORD, "new": "short", "form_key": key}
    assert browser.post("/password", data=weak).status_code == 400
    good = {"old": PASSWORD, "new": "a-better-password", "form_key": key}
    assert browser.post("/password", data=good).status_code == 303
    stale = TestClient(app, cookies={"casemate_session": before})
    assert stale.get("/api/v1/me").status_code == 401
    assert browser.get("/api/v1/me").status_code == 200


def test_a_first_password_opens_nothing_but_its_change(app: FastAPI, store: Store):
    from casemate.web.passwords import hash_password

    store.people().add("test", "new", Role.ADMIN, Marking.RED, hash_password(PASSWORD))
    browser = TestClient(app, follow_redirects=False)
    browser.post("/sign-in", data={"name": "new", "password": PASSWORD})
    assert browser.get("/").headers["location"] == "/password"
    assert browser.get("/api/v1/cases").status_code == 403
    assert browser.get("/password").status_code == 200


def test_wrong_passwords_lock_the_account_and_slow_the_address(app: FastAPI, store: Store, browser: TestClient):
    stranger = TestClient(app, follow_redirects=False)
    tries = [stranger.post("/sign-in", data={"name": "grace", "password": "wrong"}).status_code for _ in range(5)]
    assert tries == [401] * 5
    assert stranger.post("/sign-in", data={"name": "grace", "password": PASSWORD}).status_code == 401, "locked"
    for _ in range(10):
        last = stranger.post("/sign-in", data={"name": "nobody", "password": "x"})
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1
    assert "person.locked" in [event.action for event in store.history("grace")]


def test_a_token_has_the_rights_it_was_given_and_ends(app: FastAPI, store: Store, planted):
    from casemate.core.person import Right

    store.people().add("test", "sensor", Role.ANALYST, Marking.AMBER, None)
    value = store.people().add_token("test", "sensor", "send", [Right.SEND])
    program = TestClient(app, headers={"Authorization": f"Bearer {value}"})
    assert program.post("/api/v1/evidence", content=b"x").status_code == 202
    assert program.get("/api/v1/cases").status_code == 403
    store.people().change("test", "sensor", disabled=True)
    assert program.get("/api/v1/me").status_code == 401


def test_every_answer_carries_the_security_headers(client: TestClient, ada: TestClient):
    for path in ("/healthz", "/sign-in", "/", "/api/v1/cases", "/static/casemate.css", "/nowhere", "/metrics"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_figures_of_evidence_are_not_for_everybody(app: FastAPI, store: Store, planted):
    stranger = TestClient(app)
    assert "casemate_http_requests_total" in stranger.get("/metrics").text or stranger.get("/metrics").text
    assert "casemate_jobs" not in stranger.get("/metrics").text
    admin = {"Authorization": f"Bearer {token_of(store, Role.ADMIN, Marking.CLEAR)}"}
    assert 'casemate_jobs{state="dead"} 5.0' in stranger.get("/metrics", headers=admin).text


def test_a_name_that_is_not_ours_is_not_answered(store: Store):
    from casemate.policy import Policy
    from casemate.web.app import make_app
    from casemate.web.site import Site

    client = TestClient(make_app(Site(store, Policy())), base_url="http://attacker.example")
    assert client.get("/healthz").status_code == 421
    assert (
        TestClient(make_app(Site(store, Policy())), base_url="http://localhost:8080").get("/healthz").status_code == 200
    )


def test_logs_hold_neither_evidence_nor_what_was_looked_for(ada: TestClient, caplog: pytest.LogCaptureFixture, planted):
    with caplog.at_level("INFO", logger="casemate.web"):
        ada.get("/api/v1/cases", params={"q": "very-private-word"})
        ada.get(f"/api/v1/cases/{planted[Marking.RED].case_id}")
    assert len(caplog.records) >= 2
    assert "private" not in caplog.text
    assert secret(Marking.RED) not in caplog.text
    assert json.loads(caplog.records[0].message)["person"] == "admin-red"


def test_a_request_without_evidence_is_small(ada: TestClient, planted):
    path = f"/api/v1/cases/{planted[Marking.GREEN].case_id}/reviews"
    large = {"revision": 1, "reason": "x" * 2_000_000}
    answer = ada.post(path, json=large)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    in_pieces = (json.dumps(large).encode()[at : at + 65_536] for at in range(0, 2_000_100, 65_536))
    assert ada.post(path, content=in_pieces, headers={"Content-Type": "application/json"}).status_code == 400
    assert ada.get(path.removesuffix("/reviews")).json()["revision"] == 1

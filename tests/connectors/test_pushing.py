"""Only closed cases, only up to a marking, each edition once, and every failure written down and tried again."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from casemate.connectors.push.webhook import signature, signing_key
from casemate.connectors.settings import ElasticPushSettings, Server, WebhookSettings
from casemate.core.assessment import Disposition
from casemate.core.case import State
from casemate.core.errors import ConnectorFailed, RefusedByPolicy, WrongUsage
from casemate.core.marking import Marking
from casemate.policy import Limits
from casemate.store import Store

from .pushed import push, put, review
from .servers import Local, Reply, Request, as_json, served

Told = list[tuple[str, str, str]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def hook() -> Iterator[Local]:
    with served(lambda _request: (204, {}, b"")) as local:
        yield local


@pytest.fixture
def secret(tmp_path: Path) -> str:
    (tmp_path / "secret").write_text("a shared secret\n")
    return str(tmp_path / "secret")


def webhook(hook: Local, secret: str, **more: Any) -> WebhookSettings:
    return WebhookSettings(name="hook", server=Server(url=f"{hook.url}/in", secret_file=secret), **more)


def sent(hook: Local) -> list[str]:
    return [request.json()["id"] for request in hook.asked]


def test_only_what_may_go_out_goes_out_and_only_once(hook: Local, secret: str, store: Store, told: Told):
    put(store, "C-draft", closed=False)
    for marking in Marking:
        put(store, f"C-{marking.value.replace('+', '-')}", marking)
    awaiting = put(store, "C-second", closed=False)
    found = store.case_at(awaiting.id)
    assert found is not None
    from casemate.audit import NewAuditEvent

    undecided = replace(review_of(found[0]), state=State.AWAITING)
    store.add_review(undecided, found[1], NewAuditEvent("Ada", "case.reviewed", awaiting.id))
    one = push(webhook(hook, secret), store, told)
    one.round()
    one.round()
    assert sorted(sent(hook)) == ["C-clear", "C-green"]
    events = [event for event in store.audit_events() if event.action == "case.pushed"]
    assert [event.subject for event in events] == sent(hook)
    assert dict(events[0].body)["sent-sha256"] == hashlib.sha256(hook.asked[0].body).hexdigest()
    assert store.verify_audit() == ()


def review_of(case: Any) -> Any:
    from tests.store.samples import reviewed

    return reviewed(case)


def test_a_new_decision_is_a_new_edition(hook: Local, secret: str, store: Store, told: Told):
    put(store, "C-1")
    one = push(webhook(hook, secret), store, told)
    one.round()
    review(store, "C-1", "Grace")
    one.round()
    one.round()
    assert sent(hook) == ["C-1", "C-1"]
    assert len({request.headers["webhook-id"] for request in hook.asked}) == 2


def test_dispositions_can_be_chosen(hook: Local, secret: str, store: Store, told: Told):
    put(store, "C-1")  # a false positive
    push(webhook(hook, secret, dispositions=(Disposition.TRUE_POSITIVE,)), store, told).round()
    assert hook.asked == []


def test_a_signature_is_what_the_specification_says(hook: Local, secret: str, store: Store, told: Told):
    put(store, "C-1")
    push(webhook(hook, secret), store, told).round()
    (request,) = hook.asked
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(b"a shared secret", signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert "Authorization" not in request.headers
    assert request.path == "/in"
    # the example of the specification
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    text = b'{"test": 2432232314}'
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", text) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_webhook_without_a_secret_is_wrong_usage(hook: Local, store: Store, told: Told, tmp_path: Path):
    with pytest.raises(WrongUsage, match="secret"):
        push(WebhookSettings(name="hook", server=Server(url=hook.url)), store, told)
    (tmp_path / "bad").write_text("whsec_???")
    with pytest.raises(WrongUsage, match="base64"):
        push(webhook(hook, str(tmp_path / "bad")), store, told)


def test_a_case_that_is_refused_is_tried_again_later_and_given_up_in_the_end(
    hook: Local, secret: str, told: Told, tmp_path: Path
):
    now = [datetime(2026, 3, 4, tzinfo=UTC)]
    hook.fault = (422, {}, b"no \x1b[31m")
    limits = Limits(push_attempts=3)
    with Store.open(f"sqlite:///{tmp_path}/clock.sqlite", now=lambda: now[0]) as store:
        put(store, "C-1")
        put(store, "C-2")
        one = push(webhook(hook, secret), store, told, limits)
        one.round()
        one.round()
        assert sent(hook) == ["C-1", "C-2"]  # the second round finds both waiting
        for _ in range(5):
            now[0] += timedelta(hours=1)
            one.round()
        assert len(hook.asked) == 6
        assert [code for _name, code, _sentence in told] == ["not-taken"] * 4 + ["given-up"] * 2
        assert all(sentence.isprintable() for _name, _code, sentence in told)
        (kept,) = store.pushes().of("hook", "C-1")
        assert (kept.state, kept.attempts) == ("given-up", 3)
        failures = [dict(event.body) for event in store.audit_events() if event.action == "case.push-failed"]
        assert len(failures) == 6
        hook.fault = None
        assert one.give_now("C-1")
        assert one.give_now("C-1")
        assert told[-1][1] == "has-it"
        assert len(hook.asked) == 7


@pytest.mark.parametrize("fault", [(500, {}, b""), (401, {}, b""), (302, {"Location": "http://192.0.2.1/"}, b"")])
def test_a_receiver_that_takes_nothing_counts_against_no_case(
    hook: Local, secret: str, store: Store, told: Told, fault: Reply
):
    put(store, "C-1")
    put(store, "C-2")
    hook.fault = fault
    one = push(webhook(hook, secret), store, told)
    with pytest.raises(ConnectorFailed):
        one.round()
    assert len(hook.asked) == 1
    assert store.pushes().of("hook", "C-1") == ()
    hook.fault = None
    one.round()
    assert sorted(sent(hook)[1:]) == ["C-1", "C-2"]


def test_what_may_not_go_out_is_not_pushed_by_name_either(hook: Local, secret: str, store: Store, told: Told):
    put(store, "C-draft", closed=False)
    put(store, "C-red", Marking.RED)
    one = push(webhook(hook, secret), store, told)
    with pytest.raises(RefusedByPolicy, match="proposal"):
        one.give_now("C-draft")
    with pytest.raises(RefusedByPolicy, match="TLP:RED"):
        one.give_now("C-red")
    with pytest.raises(WrongUsage, match="no case"):
        one.give_now("C-nowhere")
    assert hook.asked == []


class Documents:
    """An index that keeps documents by id with external versions, as Elasticsearch documents it."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[int, Any]] = {}

    def act(self, request: Request) -> Reply:
        index, kind, name = request.path.strip("/").split("/")
        assert (request.method, kind, request.query["version_type"]) == ("PUT", "_doc", "external_gte")
        version = int(request.query["version"])
        if name in self.held and self.held[name][0] > version:
            return as_json({"error": {"type": "version_conflict_engine_exception"}, "status": 409}, 409)
        created = name not in self.held
        self.held[name] = (version, request.json())
        answer = {"_index": index, "_id": name, "_version": version, "result": "created" if created else "updated"}
        return as_json({**answer, "_shards": {"total": 2, "successful": 1, "failed": 0}}, 201 if created else 200)


def test_a_case_is_one_document_in_its_newest_edition(store: Store, told: Told):
    documents = Documents()
    case = put(store, "C-1")
    with served(documents.act) as local:
        one = push(ElasticPushSettings(name="out", server=Server(url=local.url), index="soc-cases"), store, told)
        one.round()
        review(store, "C-1", "Grace")
        one.round()
        assert [request.path for request in local.asked] == ["/soc-cases/_doc/C-1"] * 2
    ((version, held),) = documents.held.values()
    assert version == 3
    assert held["case"]["disposition"] == "false-positive"
    assert held["case"]["marking"] == "TLP:GREEN"
    assert held["review"]["reviewer"] == "Grace"
    assert sum(len(group["values"]) for group in held["observables"]) == len(case.observables)
    assert "\x1b" not in json.dumps(held, ensure_ascii=False)


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (as_json({"error": {"type": "mapper_parsing_exception"}}, 400), True),
        (as_json({"error": {"type": "version_conflict_engine_exception"}}, 409), True),
        (as_json({"_id": "another", "_shards": {"failed": 0}}, 201), True),
        (as_json({"_id": "C-1", "_shards": {"failed": 1}}, 201), True),
        (as_json({"error": "security_exception"}, 403), False),
        ((200, {}, b"<html>"), False),
    ],
)
def test_an_index_that_does_not_take_a_case(store: Store, told: Told, fault: Reply, counted: bool):
    put(store, "C-1")
    with served(Documents().act) as local:
        local.fault = fault
        one = push(ElasticPushSettings(name="out", server=Server(url=local.url)), store, told)
        if counted:
            one.round()
            assert [kept.state for kept in store.pushes().of("out", "C-1")] == ["waiting"]
        else:
            with pytest.raises(ConnectorFailed):
                one.round()
            assert store.pushes().of("out", "C-1") == ()

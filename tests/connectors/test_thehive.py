"""Cases to TheHive 5, against a server that creates and finds alerts and makes cases of them as its API does."""

import re
from itertools import count
from typing import Any

import pytest

from casemate.connectors.settings import Server, TheHiveSettings
from casemate.core.assessment import Disposition
from casemate.core.errors import ConnectorFailed
from casemate.core.marking import Marking
from casemate.store import Store

from .pushed import push, put, review
from .servers import Local, Reply, Request, as_json, served

Told = list[tuple[str, str, str]]
TYPES = {"ip", "domain", "url", "mail", "hash", "filename", "user-agent", "registry", "autonomous-system", "other"}


def fulfils(alert: dict[str, Any], condition: dict[str, Any]) -> bool:
    ((name, told),) = condition.items()
    value, wanted = alert[told["_field"]], told["_value"]
    return bool(value == wanted if name == "_eq" else {"_startsWith": str.startswith}[name](value, wanted))


class Hive:
    """Alerts that are unique by type, source and reference."""

    def __init__(self) -> None:
        self.alerts: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        self.numbers = count(100)

    def into_case(self, alert_id: str, case_id: str | None) -> Reply:
        alert = next(one for one in self.alerts.values() if one["_id"] == alert_id)
        assert "caseId" not in alert, "imported twice"
        if case_id is not None and case_id not in self.cases:
            return as_json({"type": "NotFoundError", "message": "Case not found"}, 404)
        case_id = case_id or f"~{next(self.numbers)}"
        case = self.cases.setdefault(case_id, {"_id": case_id, "_type": "Case", "title": alert["title"], "alerts": []})
        case["alerts"].append(alert_id)
        alert.update(caseId=case_id, status="Imported")
        return as_json(case, 201)

    def act(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != "Bearer hive-key":
            return as_json({"type": "AuthenticationError", "message": "Authentication failure"}, 401)
        if request.path == "/api/v1/query":
            first, condition = request.json()["query"]
            assert (first["_name"], condition["_name"]) == ("listAlert", "filter")
            found = [one for one in self.alerts.values() if all(fulfils(one, part) for part in condition["_and"])]
            return as_json(found)
        if (found := re.fullmatch(r"/api/v1/alert/(~\d+)/(case|merge/(~\d+))", request.path)) is not None:
            return self.into_case(found[1], found[3])
        assert (request.method, request.path) == ("POST", "/api/v1/alert")
        alert = request.json()
        for name in ("type", "source", "sourceRef", "title", "description"):
            if not alert.get(name):
                return as_json({"type": "BadRequest", "message": f"{name} is missing"}, 400)
        if not 1 <= alert["severity"] <= 4 or not 0 <= alert["tlp"] <= 4 or not 0 <= alert["pap"] <= 3:
            return as_json({"type": "BadRequest", "message": "out of range"}, 400)
        if not {one["dataType"] for one in alert["observables"]} <= TYPES:
            return as_json({"type": "BadRequest", "message": "unknown data type"}, 400)
        key = (alert["type"], alert["source"], alert["sourceRef"])
        if key in self.alerts:
            return as_json({"type": "CreateError", "message": "Alert already exists"}, 400)
        self.alerts[key] = {**alert, "_id": f"~{len(self.alerts) + 1}", "_type": "Alert", "status": "New"}
        return as_json(self.alerts[key], 201)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVE_KEY", "hive-key")


def settings(local: Local, **more: Any) -> TheHiveSettings:
    return TheHiveSettings(name="hive", server=Server(url=local.url, secret_env="HIVE_KEY"), **more)


def test_each_edition_is_one_alert(store: Store):
    told: Told = []
    hive = Hive()
    case = put(store, "C-1", Marking.AMBER_STRICT)
    with served(hive.act) as local:
        one = push(settings(local, up_to=Marking.RED, organisation="SOC"), store, told)
        one.round()
        one.round()
        assert local.asked[0].headers["X-Organisation"] == "SOC"
        assert len(hive.alerts) == 1
        review(store, "C-1", "Grace")
        one.round()
    assert len(hive.alerts) == 2
    alert = next(iter(hive.alerts.values()))
    assert (alert["tlp"], alert["title"]) == (3, case.title)
    assert "casemate:false-positive" in alert["tags"]
    assert len(alert["observables"]) == len(case.observables)
    assert "UNREVIEWED" not in alert["description"]
    assert store.pushes().of("hive", "C-1")[0].reference == "~1"


def test_an_alert_that_is_there_already_counts_as_given(store: Store):
    told: Told = []
    hive = Hive()
    put(store, "C-1")
    with served(hive.act) as local:
        one = push(settings(local), store, told)
        one.round()
        (due,) = store.pushes().due("another", (Marking.GREEN,), tuple(Disposition), 1)
        one._give(due)  # as if the note of the first time had been lost
    assert [code for _name, code, _said in told] == ["given", "given"]
    assert len(hive.alerts) == 1


def test_an_alert_becomes_a_case_and_a_later_edition_joins_it(store: Store):
    told: Told = []
    hive = Hive()
    put(store, "C-1")
    put(store, "C-11")  # another case, whose references begin alike
    with served(hive.act) as local:
        one = push(settings(local, gives="case"), store, told)
        one.round()
        assert sorted(len(case["alerts"]) for case in hive.cases.values()) == [1, 1]
        (due,) = [
            due for due in store.pushes().due("another", (Marking.GREEN,), tuple(Disposition), 5) if due.case == "C-1"
        ]
        one._give(due)  # as if the note of the first time had been lost
        assert sum(len(case["alerts"]) for case in hive.cases.values()) == 2
        review(store, "C-1", "Grace")
        one.round()
        assert sorted(len(case["alerts"]) for case in hive.cases.values()) == [1, 2]
        (joined,) = [case for case in hive.cases.values() if len(case["alerts"]) == 2]
        assert {kept.reference for kept in store.pushes().of("hive", "C-1")} == {f"case {joined['_id']}"}
        del hive.cases[joined["_id"]]  # somebody there threw it away
        review(store, "C-1", "Ada")
        one.round()
    assert sorted(len(case["alerts"]) for case in hive.cases.values()) == [1, 1]
    assert {code for _name, code, _said in told} == {"given"}


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (as_json({"type": "BadRequest", "message": "no \x1b"}, 400), True),
        (as_json({"_id": "../../user"}, 201), True),
        (as_json({}, 201), True),
        (as_json({"type": "AuthorizationError"}, 403), False),
        ((201, {}, b"<html>"), False),
    ],
)
def test_a_case_that_thehive_refuses_is_asked_for_again(store: Store, fault: Reply, counted: bool):
    told: Told = []
    put(store, "C-1")
    hive = Hive()
    with served(lambda request: fault if request.path.endswith("/case") else hive.act(request)) as local:
        one = push(settings(local, gives="case"), store, told)
        if counted:
            one.round()
            assert [kept.state for kept in store.pushes().of("hive", "C-1")] == ["waiting"]
        else:
            with pytest.raises(ConnectorFailed):
                one.round()
        local.act = hive.act
        (due,) = store.pushes().due("another", (Marking.GREEN,), tuple(Disposition), 1)
        one._give(due)
    assert (len(hive.alerts), len(hive.cases)) == (1, 1)
    assert all(said.isprintable() for _name, _code, said in told)


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (as_json({"type": "BadRequest", "message": "no \x1b for Bearer hive-key"}, 400), True),
        (as_json({"_id": "~1", "sourceRef": "another"}, 201), True),
        (as_json({"sourceRef": "C-1"}, 201), True),
        ((413, {}, b""), True),
        (as_json({"type": "AuthenticationError"}, 401), False),
        (as_json({"type": "AuthorizationError"}, 403), False),
        ((201, {}, b"<html>"), False),
        ((502, {}, b""), False),
    ],
)
def test_what_thehive_refuses(store: Store, fault: Reply, counted: bool):
    told: Told = []
    put(store, "C-1")
    hive = Hive()

    def act(request: Request) -> Reply:
        return fault if request.path == "/api/v1/alert" else hive.act(request)

    with served(act) as local:
        one = push(settings(local), store, told)
        if counted:
            one.round()
            assert [kept.state for kept in store.pushes().of("hive", "C-1")] == ["waiting"]
        else:
            with pytest.raises(ConnectorFailed):
                one.round()
            assert store.pushes().of("hive", "C-1") == ()
    assert all(said.isprintable() for _name, _code, said in told)
    assert "hive-key" not in str(told)

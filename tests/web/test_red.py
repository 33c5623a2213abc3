"""Every route that shows evidence marked red tells the audit chain who read it; made from the table of routes."""

import pytest
from fastapi.testclient import TestClient

from casemate.core.marking import Marking
from casemate.core.person import Right
from casemate.store import Store
from casemate.web.routes import API, PAGES, V1, Route

from .conftest import Planted, secret
from .test_matrix import QUERIES

NOT_EVIDENCE = {f"{V1}/cases/{{case_id}}/history", f"{V1}/jobs/{{number}}"}
"""What was done about a case, and how a job went: no evidence."""

ROUTES = [
    route
    for route in (*API, *PAGES)
    if route.method == "GET" and route.right is Right.READ and "{" in route.path and route.path not in NOT_EVIDENCE
]


def reads(store: Store, name: str) -> list[str]:
    return [event.action for event in store.audit_events() if event.actor == name]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_reading_is_told_for_red_and_only_for_red(
    route: Route, ada: TestClient, store: Store, planted: dict[Marking, Planted]
):
    for marking in (Marking.AMBER, Marking.RED):
        target = planted[marking]
        path = route.path.format(case_id=target.case_id, evidence=target.evidence, number=target.number)
        before = reads(store, "admin-red")
        answer = ada.get(path, params=QUERIES.get(route.path))
        assert answer.status_code == 200
        told = reads(store, "admin-red")[len(before) :]
        assert ("evidence.viewed" in told) == (marking is Marking.RED), f"{path}: {told}"
    assert secret(Marking.RED) in answer.text or route.path.endswith(("/findings", "/timeline", "/drafts"))


def test_what_is_refused_was_not_read(client: TestClient, store: Store, planted: dict[Marking, Planted]):
    from casemate.core.person import Role

    from .conftest import token_of

    client.headers["Authorization"] = f"Bearer {token_of(store, Role.ANALYST, Marking.AMBER, 'low')}"
    for route in ROUTES:
        target = planted[Marking.RED]
        path = route.path.format(case_id=target.case_id, evidence=target.evidence, number=target.number)
        assert client.get(path, params=QUERIES.get(route.path)).status_code == 404
    assert reads(store, "low") == []

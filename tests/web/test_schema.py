"""The API keeps what its description promises, whatever is sent: schemathesis, with all of its checks."""

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth  # noqa: F401 - registers the checks of OpenAPI

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import Store

from .conftest import Planted, token_of


@pytest.fixture
def api(store: Store, planted: dict[Marking, Planted], app: FastAPI):
    app.state.stopping.set()
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


@pytest.fixture
def authorization(store: Store, api) -> str:
    return f"Bearer {token_of(store, Role.ADMIN, Marking.RED)}"


schema = schemathesis.pytest.from_fixture("api")


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_is_as_described(case: schemathesis.Case, authorization: str):
    case.call_and_validate(headers={"Authorization": authorization})

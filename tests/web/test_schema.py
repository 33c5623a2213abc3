"""The API keeps what its description promises, whatever is sent: schemathesis, with all of its checks."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Policy
from casemate.store import Store
from casemate.web.app import make_app
from casemate.web.routes import API
from casemate.web.site import Site

from .conftest import plant_all, token_of

EXAMPLES = 15


@pytest.fixture(scope="module")
def described(
    lasting_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[schemathesis.BaseSchema, str]]:
    with Store.open(lasting_url, tmp_path_factory.mktemp("audit")) as store:
        plant_all(store)
        app = make_app(Site(store, Policy(), hosts=()))
        app.state.stopping.set()  # so that the stream of changes ends after what there is
        token = token_of(store, Role.ADMIN, Marking.RED)
        schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
        # The token below takes the place of whatever would be made up, so a bad one must not be what is unfitting.
        schema.config.generation.update(with_security_parameters=False)
        yield schema, f"Bearer {token}"


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize("route", API, ids=lambda route: f"{route.method} {route.path}")
def test_the_api_is_as_described(route, mode: GenerationMode, described):
    schema, authorization = described
    operation = schema[route.path][route.method]
    if mode is GenerationMode.NEGATIVE and not (operation.query or operation.path_parameters or operation.body):
        return  # nothing to get wrong

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_described(case: Case) -> None:
        case.call_and_validate(headers={"Authorization": authorization})

    answers_as_described()

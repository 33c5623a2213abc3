"""Make the application from the table of routes."""

import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from casemate import __version__
from casemate.core.person import Right
from casemate.web.board import Boards
from casemate.web.doorkeeper import COOKIE, require
from casemate.web.intake import Intake
from casemate.web.problems import TYPE, Problem, handle_problems
from casemate.web.routes import API, PAGES, PLAIN, V1, Route
from casemate.web.site import Site
from casemate.web.wrapping import Wrapping

STATIC = Path(__file__).parent / "static"
ALWAYS = (400, 413, 429, 503)
"""Statuses that any route may answer with."""


def make_app(site: Site) -> FastAPI:
    """Make the application that serves one site."""
    app = FastAPI(
        title="casemate",
        version=__version__,
        summary="Evidence in, cited and checked proposals out; a named person decides.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.site = site
    app.state.intake = Intake(site.store, site.policy.limits, site.figures)
    app.state.boards = Boards()
    app.state.stopping = threading.Event()
    for route in API + PLAIN:
        _add(app, route, in_schema=route.path.startswith(V1))
    for route in PAGES:
        _add(app, route, in_schema=False)
    description = _describe(app)
    app.add_api_route(
        f"{V1}/openapi.json",
        lambda: description,
        include_in_schema=False,
        dependencies=[Depends(require(Right.NOBODY))],
    )
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    handle_problems(app)
    app.add_middleware(Wrapping, site=site)
    return app


def _add(app: FastAPI, route: Route, *, in_schema: bool) -> None:
    answers: dict[int | str, dict[str, Any]] = {}
    if in_schema:
        known = (*ALWAYS, *((401, 403) if route.right is not Right.NOBODY else ()), *route.fails)
        schema = {"$ref": "#/components/schemas/Problem"}
        answers = {
            status: {"description": HTTPStatus(status).phrase, "content": {TYPE: {"schema": schema}}}
            for status in sorted(set(known))
        }
    page: dict[str, Any] = {"response_model": None, "response_class": Response} if route in PAGES else {}
    app.add_api_route(
        route.path,
        route.handler,
        methods=[route.method],
        status_code=route.status,
        dependencies=[Depends(require(route.right))],
        include_in_schema=in_schema,
        responses=answers,
        openapi_extra=dict(route.shape) if route.shape else None,
        operation_id=route.handler.__name__,
        tags=[route.handler.__module__.rpartition(".")[2]],
        **page,
    )


def _describe(app: FastAPI) -> dict[str, Any]:
    """Write the OpenAPI 3.1 description: FastAPI's, with problems and ways to sign in."""
    from pydantic import TypeAdapter

    described = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes, openapi_version="3.1.0"
    )
    components = described.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = TypeAdapter(Problem).json_schema()
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    described["security"] = [{"token": []}, {"session": []}]
    for path in described["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            for parameter in operation.get("parameters", ()):
                _without_null(parameter["schema"])
    return described


def _without_null(schema: dict[str, Any]) -> None:
    # A query or a header has no way to say null: what may be left out is left out.
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])

"""Problems as answers: every error of the API is one `application/problem+json` (RFC 9457), of a page a page."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from casemate.core.errors import (
    CasemateError,
    InConflict,
    IssuerFailed,
    NotTrusted,
    OutOfTurn,
    RecordFailed,
    RefusedByPolicy,
    StoreFailed,
    WrongUsage,
)
from casemate.core.plain import json_escaped, plain
from casemate.store import UnknownCursor

TYPE = "application/problem+json"
LOG = logging.getLogger("casemate.web")

STATUSES: dict[type[CasemateError], int] = {
    UnknownCursor: 404,
    InConflict: 409,
    OutOfTurn: 409,
    WrongUsage: 400,
    RefusedByPolicy: 403,
    NotTrusted: 503,
    RecordFailed: 500,  # asking again helps nobody
    StoreFailed: 503,
    IssuerFailed: 502,
}
"""Kind of error -> HTTP status, the first that fits; anything else is 500."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; `way_out` says what to do next. `type` is always `about:blank`: the status says what it is."""

    title: str
    status: int
    detail: str = ""
    way_out: str = ""
    type: str = "about:blank"


class Refused(Exception):
    """Raised by a handler to answer with a problem."""

    def __init__(
        self, status: int, detail: str = "", way_out: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(HTTPStatus(status).phrase, status, detail, way_out)
        self.headers = dict(headers or {})


def answer_problem(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a problem, as JSON under `/api/` and as a page elsewhere."""
    if request.url.path.startswith(("/api/", "/metrics", "/healthz")):
        shown = {name: getattr(problem, name) for name in ("type", "title", "status", "detail", "way_out")}
        body = json_escaped(json.dumps(shown, ensure_ascii=False)).encode("utf-8", "replace")
        return Response(body, problem.status, dict(headers or {}), TYPE)
    from casemate.web.pages.render import render_page

    return render_page(request, "problem", {"problem": problem}, status=problem.status, headers=headers)


def handle_problems(app: FastAPI) -> None:
    """Turn everything that handlers raise into problems."""

    @app.exception_handler(Refused)
    def _refused(request: Request, error: Refused) -> Response:
        return answer_problem(request, error.problem, error.headers)

    @app.exception_handler(CasemateError)
    def _casemate(request: Request, error: CasemateError) -> Response:
        status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
        problem = Problem(HTTPStatus(status).phrase, status, plain(error.message), plain(error.way_out))
        away = status == HTTPStatus.SERVICE_UNAVAILABLE
        if not away and not isinstance(error, RecordFailed):
            return answer_problem(request, problem)
        said = {"is": "unavailable" if away else "damaged", "problem": problem.detail, "way_out": problem.way_out}
        LOG.error(json.dumps(said))
        if getattr(request.state, "visit", None) is None:  # where the store is, is nothing for a stranger
            problem = Problem(problem.title, status, "the store cannot be used at the moment", "try again in a while")
        return answer_problem(request, problem, {"Retry-After": "5"} if away else None)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return answer_problem(request, Problem("Bad Request", 400, plain(f"{where}: {first['msg']}")[:500]))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        return answer_problem(request, Problem(HTTPStatus(error.status_code).phrase, error.status_code), error.headers)

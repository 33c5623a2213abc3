"""Every route of the service: what it answers to, who does the work, and the right it needs.

This table is all there is: the application is made from it, the OpenAPI description shows it, and a test asks every
route of it in every role and clearance.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from casemate.core.person import Right
from casemate.web.api import cases, evidence, people, queue, system
from casemate.web.pages import accounts, board, case, inbox, oidc, sign_in

V1 = "/api/v1"


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `status` is that of success; `fails` are statuses of problems beside those every route has."""

    method: str
    path: str
    handler: Callable[..., object]
    right: Right
    status: int = 200
    fails: tuple[int, ...] = ()
    shape: Mapping[str, object] | None = None  # what the OpenAPI description cannot see in the handler


API: tuple[Route, ...] = (
    Route("GET", f"{V1}/me", system.me, Right.SELF),
    Route("POST", f"{V1}/evidence", evidence.send_evidence, Right.SEND, 202, (409,), evidence.DESCRIPTION),
    Route("GET", f"{V1}/cases", cases.list_cases, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/cases/{{case_id}}", cases.show_case, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/cases/{{case_id}}/findings", cases.list_findings, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/cases/{{case_id}}/observables", cases.list_observables, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/cases/{{case_id}}/timeline", cases.list_timeline, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/cases/{{case_id}}/drafts", cases.list_drafts, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/cases/{{case_id}}/history", cases.list_history, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/cases/{{case_id}}/evidence/{{evidence}}", cases.list_lines, Right.READ, fails=(404,)),
    Route(
        "GET",
        f"{V1}/cases/{{case_id}}/evidence/{{evidence}}/original",
        cases.give_original,
        Right.READ,
        fails=(404,),
        shape=cases.ORIGINAL,
    ),
    Route("GET", f"{V1}/cases/{{case_id}}/export", cases.export_case, Right.READ, fails=(404,), shape=cases.EXPORT),
    Route("POST", f"{V1}/cases/{{case_id}}/reviews", cases.review_case, Right.REVIEW, 201, (404, 409)),
    Route("GET", f"{V1}/groups", queue.list_groups, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/groups/{{number}}", queue.show_group, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/groups/{{number}}/alerts", queue.list_alerts, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/jobs", queue.list_jobs, Right.READ, fails=(404,)),
    Route("GET", f"{V1}/jobs/{{number}}", queue.show_job, Right.READ, fails=(404,)),
    Route("POST", f"{V1}/jobs/{{number}}/retry", queue.retry_job, Right.OPERATE, fails=(404, 409)),
    Route("GET", f"{V1}/people", people.list_people, Right.PEOPLE),
    Route("POST", f"{V1}/people", people.add_person, Right.PEOPLE, 201, (409,)),
    Route("GET", f"{V1}/people/{{name}}", people.show_person, Right.PEOPLE, fails=(404,)),
    Route("PATCH", f"{V1}/people/{{name}}", people.change_person, Right.PEOPLE, fails=(404, 409)),
    Route("POST", f"{V1}/people/{{name}}/password", people.renew_password, Right.PEOPLE, fails=(404,)),
    Route("DELETE", f"{V1}/people/{{name}}/sessions", people.end_sessions, Right.PEOPLE, 204, (404,)),
    Route("GET", f"{V1}/people/{{name}}/tokens", people.list_tokens, Right.PEOPLE, fails=(404,)),
    Route("POST", f"{V1}/people/{{name}}/tokens", people.issue_token, Right.PEOPLE, 201, (404, 409)),
    Route("DELETE", f"{V1}/people/{{name}}/tokens/{{token}}", people.revoke_token, Right.PEOPLE, 204, (404,)),
    Route("GET", f"{V1}/board", system.board, Right.READ),
    Route("GET", f"{V1}/changes", queue.follow, Right.READ, shape=queue.STREAM),
)

PLAIN: tuple[Route, ...] = (
    Route("GET", "/healthz", system.healthz, Right.NOBODY),
    Route("GET", "/metrics", system.metrics, Right.NOBODY),
)

PAGES: tuple[Route, ...] = (
    Route("GET", "/sign-in", sign_in.show_sign_in, Right.NOBODY),
    Route("POST", "/sign-in", sign_in.sign_in, Right.NOBODY),
    Route("GET", "/sign-in/oidc", oidc.leave, Right.NOBODY, 303, (404,)),
    Route("GET", "/sign-in/oidc/back", oidc.come_back, Right.NOBODY, 303, (404,)),
    Route("POST", "/sign-out", sign_in.sign_out, Right.SELF),
    Route("GET", "/password", sign_in.show_password, Right.SELF),
    Route("POST", "/password", sign_in.change_password, Right.SELF),
    Route("GET", "/", inbox.show_inbox, Right.READ, fails=(404,)),
    Route("GET", "/cases", inbox.show_cases, Right.READ, fails=(404,)),
    Route("GET", "/groups/{number}", inbox.show_group, Right.READ, fails=(404,)),
    Route("GET", "/cases/{case_id}", case.show_case, Right.READ, fails=(404,)),
    Route("POST", "/cases/{case_id}/review", case.review_case, Right.REVIEW, fails=(404, 409)),
    Route("GET", "/cases/{case_id}/observables", case.show_observables, Right.READ, fails=(404,)),
    Route("GET", "/cases/{case_id}/timeline", case.show_timeline, Right.READ, fails=(404,)),
    Route("GET", "/cases/{case_id}/evidence/{evidence}", case.show_evidence, Right.READ, fails=(404,)),
    Route("GET", "/board", board.show_board, Right.READ),
    Route("GET", "/people", accounts.show_people, Right.PEOPLE),
    Route("POST", "/people", accounts.add_person, Right.PEOPLE, fails=(409,)),
    Route("GET", "/people/{name}", accounts.show_person, Right.PEOPLE, fails=(404,)),
    Route("POST", "/people/{name}", accounts.change_person, Right.PEOPLE, fails=(404, 409)),
)

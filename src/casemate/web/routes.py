"""Every route of the service: what it answers to, who does the work, and the right it needs.

This table is all there is: the application is made from it, the OpenAPI description shows it, and a test asks every
route of it in every role and clearance.
"""

from collections.abc import Callable
from dataclasses import dataclass

from casemate.core.person import Right
from casemate.web.api import cases, system
from casemate.web.pages import inbox, sign_in

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


API: tuple[Route, ...] = (
    Route("GET", f"{V1}/me", system.me, Right.SELF),
    Route("GET", f"{V1}/cases", cases.list_cases, Right.READ),
)

PLAIN: tuple[Route, ...] = (
    Route("GET", "/healthz", system.healthz, Right.NOBODY),
    Route("GET", "/metrics", system.metrics, Right.NOBODY),
)

PAGES: tuple[Route, ...] = (
    Route("GET", "/sign-in", sign_in.show_sign_in, Right.NOBODY),
    Route("POST", "/sign-in", sign_in.sign_in, Right.NOBODY),
    Route("POST", "/sign-out", sign_in.sign_out, Right.SELF),
    Route("GET", "/password", sign_in.show_password, Right.SELF),
    Route("POST", "/password", sign_in.change_password, Right.SELF),
    Route("GET", "/", inbox.show_inbox, Right.READ),
)

"""Sign-in by the site's issuer: the way there and the way back."""

import re
from math import ceil
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Query, Request, Response
from starlette.responses import RedirectResponse

from casemate.audit import NewAuditEvent
from casemate.core.errors import CasemateError, InConflict, RefusedByPolicy
from casemate.store.people import MACHINE
from casemate.web.doorkeeper import COOKIE, address_of, site_of
from casemate.web.oidc import CALLBACK, Issuer
from casemate.web.pages.sign_in import inside
from casemate.web.problems import Refused
from casemate.web.site import Site
from casemate.web.wrapping import cookie_line

BROWSER = "casemate_oidc"
"""The cookie of a browser whose person is at the issuer; it goes back nowhere but to the way back."""

Text = Annotated[str, Query(max_length=4096)]


def leave(request: Request, next: Text = "/") -> Response:  # noqa: A002 - the name in the address
    """Send the browser to the issuer."""
    site = _site(request)
    wait = site.sign_ins.wait(address_of(request))
    if wait:
        raise Refused(429, "too many tries from this address", headers={"Retry-After": str(ceil(wait))})
    limits = site.policy.limits
    issuer = Issuer(site.policy.oidc, limits)
    pending = site.store.identities().begin(inside(next), limits.sign_in_seconds)
    answer = RedirectResponse(issuer.leave_for(pending), 303)
    answer.headers.append("Set-Cookie", _held(site, pending.browser, int(limits.sign_in_seconds)))
    return answer


def come_back(request: Request, state: Text = "", code: Text = "", error: Text = "", iss: Text = "") -> Response:
    """Take the issuer's answer, which holds once and in the browser that was sent; then begin a session."""
    site = _site(request)
    limits = site.policy.limits
    browser = request.cookies.get(BROWSER, "")
    pending = site.store.identities().take(state, browser, limits.sign_in_seconds)
    if pending is None:
        raise Refused(400, "this sign-in is not under way, or was used already", "begin anew at /sign-in")
    if error or not code:
        told = error if re.fullmatch(r"[a-z_]{1,40}", error) else "no code"
        raise Refused(403, f"the issuer refused: {told}", "begin anew at /sign-in")
    try:
        name = site.store.identities().enter(Issuer(site.policy.oidc, limits).come_back(pending, code, iss))
    except (RefusedByPolicy, InConflict) as refused:
        _tell(site, refused)
        raise
    value, _session = site.store.people().sign_in(name, request.cookies.get(COOKIE, ""))
    answer = RedirectResponse(inside(pending.wanted), 303)
    answer.headers.append("Set-Cookie", cookie_line(value, secure=site.secure))
    answer.headers.append("Set-Cookie", _held(site, "", 0))
    return answer


def _site(request: Request) -> Site:
    site = site_of(request)
    if not site.policy.oidc.issuer:
        raise Refused(404, "this site has no issuer to sign in with")
    return site


def _tell(site: Site, refused: CasemateError) -> None:
    host = urlsplit(site.policy.oidc.issuer).hostname or ""
    site.store.record(NewAuditEvent(MACHINE, "person.sign-in-refused", host, (("why", refused.message),)))


def _held(site: Site, value: str, seconds: int) -> str:
    line = cookie_line(value, secure=site.secure, seconds=seconds)
    return line.replace(f"{COOKIE}=", f"{BROWSER}=", 1).replace("Path=/;", f"Path={CALLBACK};", 1)

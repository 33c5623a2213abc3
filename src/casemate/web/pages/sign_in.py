"""Signing in and out, and changing a password."""

from datetime import UTC, datetime
from math import ceil
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Form, Request, Response
from starlette.responses import RedirectResponse

from casemate.core.person import Person
from casemate.store import Session
from casemate.web.doorkeeper import COOKIE, Asked, address_of, check_origin, site_of
from casemate.web.pages.render import render_page
from casemate.web.passwords import hash_password, password_holds, why_weak
from casemate.web.problems import Refused
from casemate.web.site import Site
from casemate.web.wrapping import cookie_line

WRONG = "The name or the password is wrong, or the account is locked for a few minutes."


def check_in(site: Site, name: str, password: str, address: str, ended: str = "") -> tuple[str, Session] | None:
    """Check a name and a password and begin a session; None when they do not hold, or the account is locked.

    `ended` is the cookie that came along: whatever session it had ends.
    `Refused` (429) when this address has tried too often.
    """
    wait = site.sign_ins.wait(address)
    if wait:
        raise Refused(429, "too many tries from this address", headers={"Retry-After": str(ceil(wait))})
    people = site.store.people()
    hashed, locked_until = people.password_of(name)
    holds = password_holds(password, hashed)  # even when locked: the time taken tells nothing
    if locked_until is not None and locked_until > datetime.now(UTC):
        return None
    if not holds:
        people.failed(name)
        return None
    return people.sign_in(name, ended)


def show_sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Show the form."""
    return _form(request, next)


def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=100)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - the name in the form
) -> Response:
    """Begin a session with a cookie of its own, whatever cookie came along."""
    site = site_of(request)
    _check_same_site(request)
    begun = check_in(site, name, password, address_of(request), request.cookies.get(COOKIE, ""))
    if begun is None:
        return _form(request, next, WRONG, 401)
    value, session = begun
    where = "/password" if session.person.must_change else inside(next)
    return RedirectResponse(where, 303, {"Set-Cookie": cookie_line(value, secure=site.secure)})


def _form(request: Request, wanted: str, wrong: str = "", status: int = 200) -> Response:
    issuer = urlsplit(site_of(request).policy.oidc.issuer).hostname or ""
    return render_page(request, "sign_in", {"next": inside(wanted), "wrong": wrong, "issuer": issuer}, status=status)


def sign_out(request: Request, visit: Asked) -> Response:
    """End the session."""
    visit.store.people().sign_out(request.cookies.get(COOKIE, ""), visit.person.name)
    gone = cookie_line("", secure=visit.site.secure, seconds=0)
    return RedirectResponse("/sign-in", 303, {"Set-Cookie": gone})


def show_password(request: Request, visit: Asked) -> Response:
    """Show the form for a new password."""
    return render_page(request, "password", {"wrong": "", "first": visit.person.must_change})


def change_password(
    request: Request,
    visit: Asked,
    old: Annotated[str, Form(max_length=1000)] = "",
    new: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Set a new password; every session of the person ends, and this browser gets a new one."""
    site, person = visit.site, visit.person
    wrong = _why_not(site, person, old, new, visit.address)
    if wrong:
        return render_page(request, "password", {"wrong": wrong, "first": person.must_change}, status=400)
    people = site.store.people()
    people.set_password(person.name, person.name, hash_password(new), first=False)
    value, _session = people.sign_in(person.name)
    return RedirectResponse("/", 303, {"Set-Cookie": cookie_line(value, secure=site.secure)})


def _why_not(site: Site, person: Person, old: str, new: str, address: str) -> str:
    wait = site.sign_ins.wait(address)
    if wait:
        return f"Too many tries; wait {ceil(wait)} seconds."
    if not password_holds(old, site.store.people().password_of(person.name)[0]):
        return "The old password is wrong."
    if old == new:
        return "The new password is the old one."
    weak = why_weak(new, person.name)
    return f"The new password needs {weak}." if weak else ""


def inside(address: str) -> str:
    """Keep an address only if it leads to a page of this site."""
    fine = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if fine else "/"


def _check_same_site(request: Request) -> None:
    # There is no session yet whose key a form could send; a browser says where the form came from.
    check_origin(request)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(403, "the form was sent from another site")

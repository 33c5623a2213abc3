"""Who is asking, whether they may, and whether a browser was tricked into asking."""

import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import SplitResult, quote, urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from casemate.core.person import Person, Right
from casemate.policy import Policy
from casemate.store import Cleared, Session, Store
from casemate.web.problems import Refused
from casemate.web.site import Site

COOKIE = "casemate_session"
FORM_KEY = "form_key"
FORM_KEY_HEADER = "x-csrf-token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a known person: what they can see, and where changes go."""

    person: Person
    site: Site
    form_key: str = ""
    address: str = ""

    @property
    def seen(self) -> Cleared:
        """What the person's clearance reaches; the only way a handler reads cases, groups and evidence."""
        return self.site.store.cleared(self.person.clearance)

    @property
    def store(self) -> Store:
        """Where a handler writes."""
        return self.site.store

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.site.policy


def site_of(request: Request) -> Site:
    """Give the site that a request came to."""
    site = request.app.state.site
    assert isinstance(site, Site)
    return site


def require(right: Right) -> Callable[[Request], Coroutine[Any, Any, None]]:
    """Make the check that stands before a route: it leaves the `Visit` in the request or refuses."""

    async def check(request: Request) -> None:
        site = site_of(request)
        _check_host(request, site)
        person, session = await run_in_threadpool(_identify, request, site)
        if person is None:
            if right is Right.NOBODY:
                return
            raise _unknown(request)
        if session is not None and request.method not in SAFE and right is not Right.NOBODY:
            await _check_form_key(request, session)
        if not person.may(right):
            raise Refused(403, f"this needs the right `{right.value}`, which {person.name} does not have")
        if person.must_change and right not in (Right.NOBODY, Right.SELF):
            if request.url.path.startswith("/api/"):
                raise Refused(403, "the first password must be changed", "sign in at /sign-in and change it")
            raise Refused(303, headers={"Location": "/password"})
        request.state.visit = Visit(person, site, session.form_key if session else "", address_of(request))

    return check


async def require_again(request: Request) -> Visit | None:
    """Look again who is asking, for answers that last long; None when they may not read any more."""
    site = site_of(request)
    person, session = await run_in_threadpool(_identify, request, site)
    if person is None or not person.may(Right.READ):
        return None
    return Visit(person, site, session.form_key if session else "", address_of(request))


def visit(request: Request) -> Visit:
    """Give the visit that `require` found."""
    found = getattr(request.state, "visit", None)
    if not isinstance(found, Visit):
        raise _unknown(request)
    return found


Asked = Annotated[Visit, Depends(visit)]


def address_of(request: Request) -> str:
    """Name the address a request came from."""
    return request.client.host if request.client else ""


def _identify(request: Request, site: Site) -> tuple[Person | None, Session | None]:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.casefold() == "bearer" and value:
        return site.store.people().bearer(value.strip()), None
    cookie = request.cookies.get(COOKIE, "")
    session = site.store.people().session(cookie) if cookie else None
    if session is None:
        return None, None
    if session.fresh:
        request.state.fresh_cookie = session.fresh
    return session.person, session


def _unknown(request: Request) -> Refused:
    if request.url.path.startswith(("/api/", "/metrics")):
        headers = {"WWW-Authenticate": "Bearer"}
        return Refused(401, "who is asking is not known", "send `Authorization: Bearer TOKEN`", headers)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Refused(303, headers={"Location": f"/sign-in?next={quote(wanted)}" if wanted != "/" else "/sign-in"})


async def _check_form_key(request: Request, session: Session) -> None:
    check_origin(request)
    given = request.headers.get(FORM_KEY_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        value = (await request.form()).get(FORM_KEY, "")
        given = value if isinstance(value, str) else ""
    if not hmac.compare_digest(given.encode("utf-8", "replace"), session.form_key.encode()):
        raise Refused(403, "the form is too old or was not sent from here", "load the page again")


def check_origin(request: Request) -> None:
    """Refuse (403) what a browser says another site sent."""
    origin = request.headers.get("origin", "")
    if origin and split(origin).netloc != request.headers.get("host", ""):
        raise Refused(403, "the request came from another site")


def split(address: str) -> SplitResult:
    """Take an address apart; nothing is in one that is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _check_host(request: Request, site: Site) -> None:
    # A name that resolves to this machine must not let another site's script read the answers (DNS rebinding).
    named = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if site.hosts and named not in site.hosts:
        raise Refused(421, "this host name is not served here", "add it to service_hosts in the policy")

"""What stands around every answer: security headers, a bound on what is read, a log line, and the figures."""

import json
import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casemate.web.doorkeeper import COOKIE
from casemate.web.site import Site

LOG = logging.getLogger("casemate.web")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every answer: nothing from elsewhere, nothing inline."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Wrapping:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        number = secrets.token_hex(8)
        state = scope.setdefault("state", {})

        async def wrapped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = number
                headers.setdefault("Cache-Control", "no-store")
                if self._site.secure:
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
                if fresh := state.get("fresh_cookie"):
                    headers.append("Set-Cookie", cookie_line(fresh, secure=self._site.secure))
            await send(message)

        try:
            await self._app(scope, receive, wrapped)
        finally:
            seconds = time.perf_counter() - started
            self._count(scope, status, seconds, number)

    def _count(self, scope: Scope, status: int, seconds: float, number: str) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._site.figures.requests.labels(method, route, str(status)).inc()
        self._site.figures.seconds.labels(route).observe(seconds)
        visit = scope.get("state", {}).get("visit")
        line = {
            "request": number,
            "method": method,
            "route": route,  # its pattern: the path itself may name a case, the query what somebody looks for
            "status": status,
            "ms": round(seconds * 1000, 1),
            "person": visit.person.name if visit else "",
        }
        LOG.info(json.dumps(line))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def cookie_line(value: str, *, secure: bool, seconds: int | None = None) -> str:
    """Write the session cookie; `seconds` 0 takes it away."""
    line = f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax"
    if seconds is not None:
        line += f"; Max-Age={seconds}"
    return line + ("; Secure" if secure else "")

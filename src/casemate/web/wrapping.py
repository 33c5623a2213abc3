"""What stands around every answer: security headers, a bound on what is read, a log line, and the figures."""

import json
import logging
import secrets
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casemate.web.doorkeeper import COOKIE
from casemate.web.problems import Problem, answer_problem
from casemate.web.site import Site

EVIDENCE = "/api/v1/evidence"
TOO_LARGE = Problem("Content Too Large", 413, "the request is larger than limits.request_bytes")
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
    "Referrer-Policy": "same-origin",  # with `no-referrer` a browser sends `Origin: null` with our own forms
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
            if not _names_a_host(scope):
                await PlainTextResponse("the header `Host` names no host\n", 400)(scope, receive, wrapped)
            elif self._too_large(scope):
                await answer_problem(Request(scope), TOO_LARGE)(scope, receive, wrapped)
            else:
                await self._app(scope, self._bounded(scope, receive), wrapped)
        finally:
            seconds = time.perf_counter() - started
            self._count(scope, status, seconds, number)

    def _too_large(self, scope: Scope) -> bool:
        length = Headers(scope=scope).get("content-length", "0")
        most = self._site.policy.limits.request_bytes
        return scope["path"] != EVIDENCE and not (length.isascii() and length.isdigit() and int(length) <= most)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        # Evidence is bounded where it is read; everything else is small, also when its sender does not say its length.
        if scope["path"] == EVIDENCE:
            return receive
        left = self._site.policy.limits.request_bytes

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else {"type": "http.disconnect"}

        return bounded

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


def _names_a_host(scope: Scope) -> bool:
    # Before anything else: whoever looks at the address of a request takes this header apart.
    try:
        urlsplit(f"//{Headers(scope=scope).get('host', '')}")
    except ValueError:
        return False
    return True


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def cookie_line(value: str, *, secure: bool, seconds: int | None = None) -> str:
    """Write the session cookie; `seconds` 0 takes it away."""
    line = f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax"
    if seconds is not None:
        line += f"; Max-Age={seconds}"
    return line + ("; Secure" if secure else "")

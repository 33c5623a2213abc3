"""Fill a template; everything is escaped, and text from evidence is shown with its control characters visible."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from casemate import __version__
from casemate.core.plain import plain


def when(time: datetime | None) -> str:
    """Write a time as `2026-11-22 13:00` (UTC)."""
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("casemate.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    environment.filters["when"] = when
    return environment


def render_page(
    request: Request,
    name: str,
    values: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Fill `templates/NAME.html.j2`; `visit` is None in it when nobody is signed in."""
    visit = getattr(request.state, "visit", None)
    given = {"visit": visit, "version": __version__, "path": request.url.path, **values}
    text = _environment().get_template(f"{name}.html.j2").render(given)
    return Response(text.encode("utf-8", "replace"), status, dict(headers or {}), "text/html; charset=utf-8")

"""Fill a template; everything is escaped, and text from evidence is shown with its control characters visible."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlencode

from fastapi import Request, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader

from casemate import __version__
from casemate.core.marking import Marking
from casemate.core.person import Right
from casemate.core.plain import plain
from casemate.stages.export.escaping import make_environment


def when(time: datetime | None) -> str:
    """Write a time as `2026-11-22 13:00` (UTC)."""
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def second(time: datetime | None) -> str:
    """Write a time as `2026-11-22 13:00:59` (UTC), where many things happen in one minute."""
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""


def span_words(seconds: float | None) -> str:
    """Write a length of time in its largest unit: `40 s`, `7 min`, `3 h`, `12 d`; a dash for none."""
    if seconds is None:
        return "–"
    whole = max(int(seconds), 0)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def exact_words(seconds: float | None) -> str:
    """Write a length of time in two units: `40 s`, `7 min 20 s`, `3 h 5 min`; a dash for none, a minus where it is."""
    if seconds is None:
        return "–"
    whole = round(abs(seconds))
    sign = "−" if seconds < 0 and whole else ""
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{sign}{hours} h {minutes} min"
    return f"{sign}{minutes} min {rest} s" if minutes else f"{sign}{rest} s"


def age(time: datetime) -> str:
    """Write how long ago a time was."""
    return span_words((datetime.now(UTC) - time).total_seconds())


@cache
def _environment() -> Environment:
    environment = make_environment(
        ChoiceLoader([PackageLoader("casemate.web", "templates"), PackageLoader("casemate.stages.export", ".")])
    )
    environment.filters.update(
        plain=plain, when=when, second=second, age=age, span_words=span_words, exact_words=exact_words
    )
    environment.globals.update(
        Right=Right,
        str=str,
        tlp_class=lambda marking: Marking(marking).value.replace("+", "-"),
        query=lambda **values: urlencode({name: value for name, value in values.items() if value not in ("", None)}),
    )
    return environment


def compile_templates() -> None:
    """Compile every template of the pages, so that the first visitor need not wait for it."""
    own = PackageLoader("casemate.web", "templates").list_templates()
    for name in (*own, "draft_body.html.j2"):  # a case shows its drafts as a report does
        _environment().get_template(name)


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

"""The inbox: what waits to be looked at."""

from fastapi import Request, Response

from casemate.store import CaseQuery
from casemate.web.doorkeeper import Asked
from casemate.web.pages.render import render_page


def show_inbox(request: Request, visit: Asked, q: str = "", after: str = "") -> Response:
    """Show the newest cases that this person may see."""
    page = visit.seen.cases(CaseQuery(text=q), 50, after)
    return render_page(request, "inbox", {"page": page, "q": q})

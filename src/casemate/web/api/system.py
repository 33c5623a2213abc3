"""Whether the service is alive and able, its figures, and who is asking."""

from dataclasses import dataclass

from fastapi import Request, Response

from casemate import __version__
from casemate.core.alert import JobState
from casemate.core.marking import Marking
from casemate.core.person import Right, Role
from casemate.web.board import Boards, Figures
from casemate.web.doorkeeper import Asked, site_of


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the service can answer and store.

    `checkpoints` is `written`, or `behind` while their file cannot be written; what is stored is stored all the same.
    """

    status: str
    version: str
    checkpoints: str


@dataclass(frozen=True, slots=True)
class Me:
    """Who is asking; `form_key` is what a browser's own script sends as `X-CSRF-Token` with each change."""

    name: str
    role: Role
    clearance: Marking
    rights: tuple[Right, ...]
    form_key: str


def healthz(request: Request) -> Health:
    """Say that the service answers and that its store can be read; 503 when it cannot."""
    store = site_of(request).store
    store.check()
    return Health("ok", __version__, "written" if store.unwritten() is None else "behind")


def metrics(request: Request) -> Response:
    """Give the figures for Prometheus; those that tell of evidence only to who has the right `metrics`."""
    site = site_of(request)
    visit = getattr(request.state, "visit", None)
    site.store.check()
    everything = visit is not None and visit.person.may(Right.METRICS)
    if everything:
        counts = site.store.queue().counts()
        site.figures.groups.set(counts.pop("groups"))
        for state in JobState:
            site.figures.jobs.labels(state.value).set(counts.get(state.value, 0))
    text = site.figures.text(everything=everything)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def board(request: Request, visit: Asked) -> Figures:
    """Give the figures of the last days, as far as the clearance reaches; counted anew every half minute."""
    boards: Boards = request.app.state.boards
    return boards.get(visit)


def me(visit: Asked) -> Me:
    """Say who is asking and what they may do."""
    person = visit.person
    return Me(person.name, person.role, person.clearance, tuple(sorted(person.rights)), visit.form_key)

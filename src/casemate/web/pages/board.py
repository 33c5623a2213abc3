"""The board: what came in, what was decided, how soon, how often people agreed, what it cost and what it saved."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response

from casemate.web.board import RECENT_WEEKS, Agreement, Boards
from casemate.web.doorkeeper import Asked
from casemate.web.pages.render import render_page

WIDTH = 560
HEIGHT = 150
FOOT = 22
WEEK_STEP = 18
WEEK_HEIGHT = 44


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart, in the units of its view box; `label` stands under it, `words` say what it is."""

    x: float
    y: float
    width: float
    height: float
    label: str
    words: str
    value: int


@dataclass(frozen=True, slots=True)
class Dot:
    """The agreement of one week: `y` of the share, `top` and `foot` of its interval; `words` say what it is."""

    x: float
    y: float
    top: float
    foot: float
    words: str


def show_board(request: Request, visit: Asked) -> Response:
    """Show the figures of the last days."""
    boards: Boards = request.app.state.boards
    figures = boards.get(visit)
    values = {
        "board": figures,
        "alerts": bars([(f"{one.day:%d %b}", one.alerts) for one in figures.days], "alerts"),
        "decided": bars([(f"{one.day:%d %b}", one.decided) for one in figures.days], "decisions"),
        "by_subject": [
            (about, [(one, dots(one)) for one in figures.agreement if one.about == about])
            for about in ("disposition", "finding")
        ],
        "width": WIDTH,
        "height": HEIGHT,
        "foot": FOOT,
        "recent": RECENT_WEEKS,
        "week_step": WEEK_STEP,
        "week_height": WEEK_HEIGHT,
    }
    return render_page(request, "board", values)


def bars(counts: Sequence[tuple[str, int]], what: str) -> list[Bar]:
    """Lay out a bar chart; the highest bar fills the height."""
    most = max((count for _name, count in counts), default=0) or 1
    step = WIDTH / max(len(counts), 1)
    room = HEIGHT - FOOT - 16
    made = []
    for place, (name, count) in enumerate(counts):
        height = max(round(room * count / most, 1), 1.5) if count else 0
        x, y = round(place * step + step * 0.12, 1), round(HEIGHT - FOOT - height, 1)
        made.append(Bar(x, y, round(step * 0.76, 1), height, name, f"{name}: {count} {what}", count))
    return made


def dots(agreement: Agreement) -> list[Dot]:
    """Lay out the weeks of one maker, 100 % at the top; weeks in which nothing was judged are left out."""

    def at(share: float) -> float:
        return round(3 + (WEEK_HEIGHT - 6) * (1 - share), 1)

    made = []
    for place, week in enumerate(agreement.weeks):
        if week.share is not None:
            words = f"week of {week.week:%d %b}: {week.agreed} of {week.judged}"
            x = round((place + 0.5) * WEEK_STEP, 1)
            made.append(Dot(x, at(week.share.value), at(week.share.high), at(week.share.low), words))
    return made

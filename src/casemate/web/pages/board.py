"""The board: what came in, what was decided, how soon, and how often people agreed."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response

from casemate.core.marking import Marking
from casemate.store import Board
from casemate.web.doorkeeper import Asked
from casemate.web.pages.render import render_page

DAYS = 14
KEPT_SECONDS = 30.0
WIDTH = 560
HEIGHT = 150
FOOT = 22


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


class Boards:
    """The last board of each clearance for half a minute: counting a million alerts takes most of a second."""

    def __init__(self) -> None:
        self._held: dict[Marking, tuple[float, Board]] = {}
        self._lock = threading.Lock()

    def get(self, visit: Asked) -> Board:
        """Give the board of a person's clearance."""
        key, now = visit.person.clearance, time.monotonic()
        with self._lock:
            held = self._held.get(key)
            if held is not None and now - held[0] < KEPT_SECONDS:
                return held[1]
        board = visit.seen.board(DAYS)
        with self._lock:
            self._held[key] = (now, board)
        return board


def show_board(request: Request, visit: Asked) -> Response:
    """Show the figures of the last days."""
    if not hasattr(request.app.state, "boards"):
        request.app.state.boards = Boards()
    board = request.app.state.boards.get(visit)
    values = {
        "board": board,
        "alerts": bars([(f"{one.day:%d %b}", one.alerts) for one in board.days], "alerts"),
        "decided": bars([(f"{one.day:%d %b}", one.decided) for one in board.days], "decisions"),
        "width": WIDTH,
        "height": HEIGHT,
        "foot": FOOT,
        "jobs": dict(board.jobs),
        "groups": dict(board.groups),
    }
    return render_page(request, "board", values)


def bars(counts: Sequence[tuple[str, int]], what: str) -> list[Bar]:
    """Lay out a bar chart; the highest bar fills the height."""
    most = max((count for _name, count in counts), default=0) or 1
    step = WIDTH / max(len(counts), 1)
    room = HEIGHT - FOOT - 16
    made = []
    for place, (name, count) in enumerate(counts):
        height = round(room * count / most, 1) if count else 0
        x, y = round(place * step + step * 0.12, 1), round(HEIGHT - FOOT - height, 1)
        made.append(Bar(x, y, round(step * 0.76, 1), height, name, f"{name}: {count} {what}", count))
    return made

"""The figures of the board, for the page and the API: what the store counted, with intervals and what they mean."""

import threading
import time
from dataclasses import dataclass
from datetime import date

from casemate.core.marking import Marking
from casemate.policy import Baseline, Price
from casemate.store import Board, Day, Maker
from casemate.web.doorkeeper import Visit
from casemate.web.reckoning import Interval, chance_of_same, holm, middle, nearest_rank, share_of, shift_between

DAYS = 14
KEPT_SECONDS = 30.0
RECENT_WEEKS = 4
DRIFT_CASES = 20
"""Judged proposals on either side below which nothing is called a drift."""
DRIFT_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Wait:
    """How long people waited, in seconds: the median, and what nine of ten did not exceed; None where `cases` is 0."""

    cases: int
    median: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class WeekOfAgreement:
    """One week from its Monday on; `share` is None when nothing was judged."""

    week: date
    agreed: int
    judged: int
    share: Interval | None


@dataclass(frozen=True, slots=True)
class Drift:
    """The last four weeks beside the eight before: `chance` is Fisher's p, corrected for all makers (Holm).

    `drifted` is true below 0.05, and only where enough was judged on both sides; `enough` says whether it was.
    """

    recent: tuple[int, int]
    before: tuple[int, int]
    chance: float
    enough: bool
    drifted: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often people left the proposals of one maker as they were; `about` is `disposition` or `finding`."""

    about: str
    maker: str
    agreed: int
    judged: int
    share: Interval
    weeks: tuple[WeekOfAgreement, ...]
    drift: Drift


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What one model took."""

    model: str
    requests: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Priced:
    """What all of it would have cost at one price of the policy."""

    name: str
    amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class MinutesSaved:
    """From first look to decision, in seconds, with proposals and without, in cases drawn by the policy.

    `saved` is by how much a case took longer without them, with its interval; None while either side has fewer than
    `least` timed cases. `unseen_agreed` of `unseen` proposed dispositions were what people decided without seeing them.
    """

    share: float
    least: int
    with_proposals: Wait
    without: Wait
    saved: Interval | None
    unseen_agreed: int
    unseen: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The board of one clearance. `waiting` and `dead` are jobs, `to_look_at` cases that nobody has decided."""

    clearance: Marking
    days: tuple[Day, ...]
    waiting: int
    dead: int
    to_look_at: int
    first_look: Wait
    decision: Wait
    agreement: tuple[Agreement, ...]
    costs: tuple[ModelCost, ...]
    priced: tuple[Priced, ...]
    minutes_saved: MinutesSaved


class Boards:
    """The last figures of each clearance for half a minute: counting a million alerts takes most of a second."""

    def __init__(self) -> None:
        self._held: dict[Marking, tuple[float, Figures]] = {}
        self._lock = threading.Lock()

    def get(self, visit: Visit) -> Figures:
        """Give the figures of a person's clearance."""
        key, now = visit.person.clearance, time.monotonic()
        with self._lock:
            held = self._held.get(key)
            if held is not None and now - held[0] < KEPT_SECONDS:
                return held[1]
        figures = figures_of(visit.seen.board(DAYS), key, visit.policy.prices, visit.policy.baseline)
        with self._lock:
            self._held[key] = (now, figures)
        return figures


def figures_of(board: Board, clearance: Marking, prices: tuple[Price, ...], baseline: Baseline) -> Figures:
    """Say what the store counted with medians, intervals and prices."""
    jobs, groups = dict(board.jobs), dict(board.groups)
    costs = tuple(
        ModelCost(name, one.requests, one.prompt_tokens, one.cached_tokens, one.generated_tokens, one.seconds)
        for name, one in board.costs
    )
    priced: tuple[Priced, ...] = ()
    if board.costs:
        whole = sum((one for _name, one in board.costs[1:]), start=board.costs[0][1])
        priced = tuple(Priced(price.name, price.of(whole), price.currency) for price in prices)
    return Figures(
        clearance,
        board.days,
        jobs.get("waiting", 0) + jobs.get("leased", 0),
        jobs.get("dead", 0),
        groups.get("ready", 0) + groups.get("in-review", 0),
        _wait(board.first_looks),
        _wait(board.decisions),
        _agreement(board.makers),
        costs,
        priced,
        _minutes_saved(board, baseline),
    )


def _wait(seconds: tuple[float, ...]) -> Wait:
    return Wait(len(seconds), middle(seconds), nearest_rank(seconds, 0.9))


def _agreement(makers: tuple[Maker, ...]) -> tuple[Agreement, ...]:
    makers = tuple(maker for maker in makers if any(one.judged for one in maker.weeks))  # none of a day to come
    sides = [(_sum(maker, recent=True), _sum(maker, recent=False)) for maker in makers]
    chances = [chance_of_same(*side) for side in sides]
    enough = [min(recent[1], before[1]) >= DRIFT_CASES for recent, before in sides]
    tested = iter(holm([chance for chance, able in zip(chances, enough, strict=True) if able]))
    made = []
    for maker, (recent, before), able in zip(makers, sides, enough, strict=True):
        chance = next(tested) if able else 1.0
        agreed, judged = recent[0] + before[0], recent[1] + before[1]
        weeks = tuple(
            WeekOfAgreement(one.week, one.agreed, one.judged, share_of(one.agreed, one.judged) if one.judged else None)
            for one in maker.weeks
        )
        drift = Drift(recent, before, chance, able, able and chance < DRIFT_CHANCE)
        made.append(Agreement(maker.about, maker.name, agreed, judged, share_of(agreed, judged), weeks, drift))
    return tuple(made)


def _sum(maker: Maker, *, recent: bool) -> tuple[int, int]:
    weeks = maker.weeks[-RECENT_WEEKS:] if recent else maker.weeks[:-RECENT_WEEKS]
    return sum(one.agreed for one in weeks), sum(one.judged for one in weeks)


def _minutes_saved(board: Board, baseline: Baseline) -> MinutesSaved:
    timed = board.timed_with, board.timed_without
    enough = min(map(len, timed)) >= baseline.least_cases
    return MinutesSaved(
        baseline.share,
        baseline.least_cases,
        _wait(board.timed_with),
        _wait(board.timed_without),
        shift_between(board.timed_without, board.timed_with) if enough else None,
        *board.unseen,
    )

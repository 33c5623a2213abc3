"""The board: its arithmetic, what it counts for whom, and what it says of few cases."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.cost import Cost
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Baseline, Policy, Price
from casemate.store import Board, Day, Judged, Maker, Store
from casemate.web.app import make_app
from casemate.web.board import figures_of
from casemate.web.reckoning import chance_of_same, holm, nearest_rank, share_of, shift_between
from casemate.web.site import Site

from .conftest import token_of
from .history import store_history

MONDAY = date(2026, 3, 2)
times = st.lists(st.floats(0, 1e4), min_size=1, max_size=12)


def test_wilson_as_published():
    none = share_of(0, 10)
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(0.2775, abs=1e-4)
    some = share_of(15, 148)  # Newcombe 1998, table I, method 3
    assert (some.low, some.high) == (pytest.approx(0.0624, abs=1e-4), pytest.approx(0.1605, abs=1e-4))


def test_fisher_as_published():
    assert chance_of_same((3, 4), (1, 4)) == pytest.approx(0.4857, abs=1e-4)  # the lady tasting tea
    assert chance_of_same((1, 12), (11, 12)) == pytest.approx(0.000107, abs=1e-6)
    assert chance_of_same((0, 0), (3, 4)) == 1.0


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_fisher_is_a_chance_and_asks_both_ways_alike(data: st.DataObject):
    first, second = (data.draw(st.integers(0, 40)) for _ in range(2))
    sides = (data.draw(st.integers(0, first)), first), (data.draw(st.integers(0, second)), second)
    chance = chance_of_same(*sides)
    assert 0 < chance <= 1
    assert chance == pytest.approx(chance_of_same(*reversed(sides)))
    interval = share_of(*sides[0]) if first else share_of(0, 1)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_holm_as_published():
    for order in permutations([0.01, 0.04, 0.03]):
        assert sorted(holm(order)) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@settings(max_examples=80, deadline=None)
@given(times, times)
def test_a_shift_turns_with_its_sides(one: list[float], other: list[float]):
    shift, back = shift_between(one, other), shift_between(other, one)
    assert shift.low <= shift.value <= shift.high
    assert (shift.value, shift.low, shift.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert shift_between([value + 50 for value in one], one).value == pytest.approx(50, abs=1e4 * 2)


def test_a_shift_as_published():
    # Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, example 4.1: permeability of membranes.
    term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    weeks = [1.15, 0.88, 0.90, 0.74, 1.21]
    shift = shift_between(term, weeks)
    assert shift.value == pytest.approx(0.305)
    assert (shift.low, shift.high) == (pytest.approx(-0.15), pytest.approx(0.76))


def test_nine_of_ten():
    assert nearest_rank(range(1, 11), 0.9) == 9
    assert nearest_rank([7.0], 0.9) == 7.0
    assert nearest_rank([], 0.9) is None


def board_of(makers: tuple[Maker, ...] = (), *, without: int = 0) -> Board:
    days = (Day(MONDAY, 3, 1),)
    cost = ("m", Cost(1, 1_000_000, 0, 0, 1.0))
    timed = tuple(float(60 + step) for step in range(40))
    return Board(days, (5.0,), (9.0,), makers, (1, 2), timed, timed[:without], (cost,), (("waiting", 2),), ())


def maker(name: str, weekly: list[tuple[int, int]]) -> Maker:
    weeks = (Judged(MONDAY + timedelta(weeks=place), *one) for place, one in enumerate(weekly))
    return Maker("finding", name, tuple(weeks))


def test_few_cases_do_not_alarm_and_many_do():
    few = maker("few", [(5, 5)] * 8 + [(0, 4)] * 4)
    many = maker("many", [(19, 20)] * 8 + [(10, 20)] * 4)
    calm = maker("calm", [(18, 20)] * 12)
    none = maker("none", [(0, 0)] * 12)
    made = figures_of(board_of((few, many, calm, none)), Marking.RED, (), Baseline()).agreement
    assert [one.maker for one in made] == ["few", "many", "calm"]
    assert [one.drift.drifted for one in made] == [False, True, False]
    assert [one.drift.enough for one in made] == [False, True, True]
    assert made[1].drift.recent == (40, 80)


def test_no_minutes_are_saved_until_there_are_enough_cases():
    policy = Baseline(share=0.2, least_cases=20)
    prices = (Price("a hosted model", prompt_million=3.0),)
    few = figures_of(board_of(without=19), Marking.RED, prices, policy)
    assert few.minutes_saved.saved is None
    assert [(one.name, one.amount) for one in few.priced] == [("a hosted model", 3.0)]
    enough = figures_of(board_of(without=20), Marking.RED, prices, policy).minutes_saved
    assert enough.saved is not None
    assert enough.saved.low <= enough.saved.value <= enough.saved.high


@pytest.mark.slow
def test_the_board_of_a_site_by_page_and_api(url: str):
    baseline = Baseline(share=0.5, spare_priority=1, least_cases=5)
    store_history(url, 40, baseline)
    with Store.open(url) as store:
        app = make_app(Site(store, Policy(baseline=baseline, prices=(Price("ours", machine_hour=1.0),)), hosts=()))
        client = TestClient(app, headers={"Authorization": f"Bearer {token_of(store, Role.READER, Marking.GREEN)}"})
        board = client.get("/api/v1/board").json()
        agreement = {one["maker"]: one for one in board["agreement"]}
        assert agreement["named: technique"]["agreed"] == agreement["named: technique"]["judged"] == 40
        assert sum(week["judged"] for week in board["agreement"][0]["weeks"]) == 40
        saved = board["minutes_saved"]
        assert saved["with_proposals"]["cases"] + saved["without"]["cases"] == 40
        assert saved["saved"]["value"] > 0
        assert saved["unseen"] == saved["without"]["cases"]
        recent = [day for day in board["days"] if day["decided"]]
        assert board["decision"]["cases"] == sum(day["decided"] for day in recent)
        assert board["first_look"]["median"] <= board["decision"]["median"]
        assert board["costs"][0]["requests"] == board["decision"]["cases"]
        assert board["priced"][0]["amount"] == pytest.approx(board["costs"][0]["seconds"] / 3600)
        page = client.get("/board").text
        assert "longer without proposals" in page
        assert page.count("<svg") == 2 + len(board["agreement"])
        below = TestClient(app, headers={"Authorization": f"Bearer {token_of(store, Role.READER, Marking.CLEAR)}"})
        nothing = below.get("/api/v1/board").json()
        assert (nothing["agreement"], nothing["costs"], nothing["minutes_saved"]["without"]["cases"]) == ([], [], 0)
        assert "smollm" not in below.get("/board").text
        assert store.verify_audit() == ()


def test_a_case_opened_again_is_judged_no_more(url: str):
    store_history(url, 1, Baseline())
    with Store.open(url) as store:
        assert len(store.cleared(Marking.RED).board(14).makers) == 3
        found = store.case_at("C-000000000000")
        assert found is not None
        case, revision = found
        again = replace(case.reviews[0], time=datetime.now(UTC), disposition=None, decisions=(), reason="look again")
        from casemate.audit import NewAuditEvent
        from casemate.core.case import State

        opened = replace(case, state=State.IN_REVIEW, reviews=(*case.reviews, again))
        store.add_review(opened, revision, NewAuditEvent("grace", "case.reviewed", case.id))
        assert store.cleared(Marking.RED).board(14).makers == ()

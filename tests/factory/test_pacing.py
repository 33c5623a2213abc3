from pathlib import Path

import pytest

from casemate.factory.pacing import Pace, rate_at


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_rises_then_falls_to_nothing() -> None:
    assert 0 < rate_at(0.0, 0.05) < 0.1
    assert rate_at(0.05, 0.05) == pytest.approx(1.0)
    assert rate_at(0.525, 0.05) == pytest.approx(0.5)
    assert rate_at(1.0, 0.05) == pytest.approx(0.0)
    assert rate_at(0.0, 0.0) == 1.0


def test_a_run_ends_by_whichever_comes_first(tmp_path: Path) -> None:
    clock = Clock()
    pace = Pace(tmp_path / "p.json", 10, 60.0, clock=clock)
    pace.start()
    for _ in range(3):
        pace.see(100, 2.0)
        pace.step()
    assert pace.share() == pytest.approx(0.3)
    clock.now += 45
    assert pace.share() == pytest.approx(0.75)
    assert not pace.over()
    clock.now += 15
    assert pace.over()


def test_what_was_counted_goes_on_after_a_stop(tmp_path: Path) -> None:
    clock = Clock()
    pace = Pace(tmp_path / "p.json", 10, 0.0, clock=clock)
    pace.start()
    pace.see(50, 1.0)
    pace.step()
    clock.now += 30
    pace.save()
    again = Pace(tmp_path / "p.json", 10, 0.0, resume=True, clock=clock)
    again.start()
    assert (again.step_number, again.tokens, again.elapsed) == (1, 50, 30.0)
    fresh = Pace(tmp_path / "p.json", 10, 0.0, clock=clock)
    assert fresh.step_number == 0

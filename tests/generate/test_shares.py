"""Seconds and joules are shared out so that their sums are true; nothing is made up where the machine is silent."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from casemate.stages.generate.shares import EnergyCounter, Share, Shares, peak_bytes


def zone(folder: Path, name: str, energy: str, most: str = "1000000000") -> Path:
    path = folder / name
    path.mkdir()
    (path / "energy_uj").write_text(energy)
    (path / "max_energy_range_uj").write_text(most)
    return path / "energy_uj"


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    one, two = zone(tmp_path, "intel-rapl:0", "5000000"), zone(tmp_path, "intel-rapl:1", "900000000")
    part = zone(tmp_path, "intel-rapl:0:0", "0")
    counter = EnergyCounter(tmp_path)
    assert counter.joules() == 0
    one.write_text("7500000\n")
    part.write_text("2000000\n")
    two.write_text("100000000\n")  # it began again at zero, past 1,000 joules
    assert counter.joules() == 2.5 + 200


def test_silent_machine_gives_none(tmp_path: Path) -> None:
    assert EnergyCounter(tmp_path / "none").joules() is None
    assert EnergyCounter(tmp_path).joules() is None
    zone(tmp_path, "intel-rapl:0", "no number")
    assert EnergyCounter(tmp_path).joules() is None


def test_counter_that_falls_silent_gives_none_from_then_on(tmp_path: Path) -> None:
    energy = zone(tmp_path, "intel-rapl:0", "1")
    counter = EnergyCounter(tmp_path)
    energy.unlink()
    assert counter.joules() is None
    energy.write_text("2")
    assert counter.joules() is None


def test_what_runs_at_the_same_time_shares_equally() -> None:
    now = 0.0
    shares = Shares(lambda: now, lambda: now * 10)
    one = shares.begin()
    now = 2.0
    two = shares.begin()
    now = 6.0
    assert shares.end(one) == Share(4.0, 40.0)
    now = 7.0
    assert shares.end(two) == Share(3.0, 30.0)
    now = 50.0  # nothing ran
    three = shares.begin()
    now = 51.0
    assert shares.end(three) == Share(1.0, 10.0)


def test_no_counter_no_joules() -> None:
    shares = Shares(joules=lambda: None)
    assert shares.end(shares.begin()).joules is None


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=40))
def test_shares_add_up_to_the_time_in_which_anything_ran(steps: list[tuple[bool, int]]) -> None:
    now, busy, got = 0, 0, 0.0
    shares, running = Shares(lambda: now, lambda: None), []
    for begin, passes in [*steps, *[(False, 1)] * 40]:
        busy += passes if running else 0
        now += passes
        if begin:
            running.append(shares.begin())
        elif running:
            got += shares.end(running.pop(0)).seconds
    assert abs(got - busy) < 1e-6 * max(busy, 1)


def test_peak_memory_of_a_process() -> None:
    assert peak_bytes(os.getpid()) > 1_000_000
    assert peak_bytes(None) == peak_bytes(2**30) == 0

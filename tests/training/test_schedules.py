"""The learning rate of each step."""

from __future__ import annotations

import pytest

from lepton_lab.training.schedules import START_FRACTION, WARM_UP_FRACTION, Schedule


def test_one_cycle_climbs_to_the_peak_and_falls_to_nearly_nothing() -> None:
    schedule = Schedule("one_cycle", 0.1, 0, 100)
    rates = [schedule.at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1 * START_FRACTION)
    assert max(rates) == rates[round(100 * WARM_UP_FRACTION)] == pytest.approx(0.1)
    assert rates == sorted(rates[:21]) + sorted(rates[21:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_cosine_falls_from_the_first_step() -> None:
    schedule = Schedule("cosine", 0.1, 0, 10)
    rates = [schedule.at(step) for step in range(10)]
    assert rates[0] == 0.1 and rates == sorted(rates, reverse=True) and rates[-1] > 0


def test_constant_stays() -> None:
    assert {Schedule("constant", 0.1, 0, 10).at(step) for step in range(12)} == {0.1}


@pytest.mark.parametrize(("kind", "last"), [("one_cycle", 0.0), ("cosine", 0.0), ("constant", 0.02)])
def test_changed_takes_the_value_at_once_and_then_falls_as_before(kind: str, last: float) -> None:
    schedule = Schedule(kind, 0.1, 0, 100).changed(10, 0.02)  # type: ignore[arg-type]
    assert schedule.at(10) == 0.02
    assert max(schedule.at(step) for step in range(10, 100)) == 0.02
    assert schedule.at(100) == pytest.approx(last)


@pytest.mark.parametrize("kind", ["one_cycle", "cosine", "constant"])
def test_a_run_of_one_step_learns(kind: str) -> None:
    assert Schedule(kind, 0.1, 0, 1).at(0) > 0  # type: ignore[arg-type]


def test_comes_back_from_its_dict() -> None:
    schedule = Schedule("cosine", 0.1, 7, 100)
    assert Schedule(**schedule.to_dict()) == schedule

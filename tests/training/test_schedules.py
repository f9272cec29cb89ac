"""The learning rate of every step, and after a person has set it."""

from __future__ import annotations

import math

import pytest

from lepton_lab.training.schedules import START_FRACTION, WARM_UP_FRACTION, Schedule

STEPS = 200


def rates(schedule: Schedule) -> list[float]:
    return [schedule.at(step) for step in range(STEPS)]


def test_constant_stays() -> None:
    assert rates(Schedule("constant", 0.1, 0, STEPS)) == [0.1] * STEPS


def test_cosine_falls_from_the_peak_to_nearly_nothing() -> None:
    found = rates(Schedule("cosine", 0.1, 0, STEPS))
    assert found[0] == 0.1
    assert all(a > b for a, b in zip(found, found[1:], strict=False))
    assert found[STEPS // 2] == pytest.approx(0.05)
    assert 0 < found[-1] < 1e-4


def test_one_cycle_climbs_to_the_peak_and_falls() -> None:
    found = rates(Schedule("one_cycle", 0.1, 0, STEPS))
    top = round(WARM_UP_FRACTION * STEPS)
    assert found[0] == pytest.approx(0.1 * START_FRACTION)
    assert found[top] == pytest.approx(0.1) == max(found)
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert 0 < found[-1] < 1e-4


@pytest.mark.parametrize("kind", ["one_cycle", "cosine", "constant"])
@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_even_the_shortest_run_moves(kind: str, num_steps: int) -> None:
    schedule = Schedule(kind, 0.1, 0, num_steps)
    assert all(0 < schedule.at(step) <= 0.1 for step in range(num_steps))


def test_past_its_end_it_stays_finite() -> None:
    for kind in ("one_cycle", "cosine"):
        assert Schedule(kind, 0.1, 0, STEPS).at(STEPS + 5) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["one_cycle", "cosine"])
def test_a_rate_set_by_hand_holds_at_once_and_falls_to_the_end(kind: str) -> None:
    changed = Schedule(kind, 0.1, 0, STEPS).changed(50, 0.02)
    assert changed.at(50) == 0.02
    assert changed.at(125) == pytest.approx(0.01)
    assert changed.at(STEPS - 1) < 1e-4
    again = changed.changed(100, 0.5)
    assert again.at(100) == 0.5 and again.at(150) == pytest.approx(0.25)


def test_a_constant_rate_set_by_hand_stays() -> None:
    changed = Schedule("constant", 0.1, 0, STEPS).changed(50, 0.02)
    assert changed.at(50) == changed.at(STEPS - 1) == 0.02


def test_it_survives_as_plain_values() -> None:
    schedule = Schedule("one_cycle", 0.1, 0, STEPS).changed(7, 0.3)
    assert Schedule(**schedule.to_dict()) == schedule
    assert all(math.isfinite(rate) for rate in rates(schedule)[7:])

"""Sums and curve points, the same however the steps are collected."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from lepton_lab.data.targets import Target
from lepton_lab.specs import Problem
from lepton_lab.training.meter import MAX_PENDING_STEPS, POINTS_PER_DOUBLING, Meter, steps_per_point
from lepton_lab.training.metrics import metric_for

CPU = torch.device("cpu")
ACCURACY = metric_for(Problem("classification", "table", (3,), (3,)), Target("classification"))


def steps(number: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    made = []
    for step in range(number):
        scores = torch.randn(7 + step % 2, 3, generator=generator)
        labels = torch.randint(0, 3, (len(scores),), generator=generator)
        made.append((cross_entropy(scores, labels), scores, labels))
    return made


def fill(made: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]], collect_every: int) -> Meter:
    meter = Meter(8, CPU, ACCURACY)
    for number, (loss, scores, labels) in enumerate(made, 1):
        meter.push(loss, scores, labels, len(labels))
        if number % collect_every == 0:
            meter.collect()
    meter.collect()
    return meter


def test_points_do_not_depend_on_when_steps_are_collected() -> None:
    made = steps(100)
    one, other = fill(made, 1), fill(made, 37)
    assert one.points == other.points
    assert one.take_epoch() == other.take_epoch()
    assert one.state() == other.state()


def test_epoch_means_are_those_of_all_rows() -> None:
    made = steps(11)
    meter = fill(made, 4)
    scores, labels = torch.cat([s for _, s, _ in made]), torch.cat([y for _, _, y in made])
    loss, accuracy = meter.take_epoch()
    assert loss == pytest.approx(cross_entropy(scores, labels).item(), rel=1e-5)
    assert accuracy == (scores.argmax(1) == labels).double().mean().item()
    assert meter.take_epoch() == (0.0, None)


def test_first_step_is_a_point_of_its_own() -> None:
    meter = fill(steps(1), 1)
    assert meter.take_points().steps == [1]
    assert meter.take_points().steps == []


def test_goes_on_from_its_state() -> None:
    made = steps(60)
    whole = fill(made, 5)
    first = fill(made[:29], 3)
    rest = Meter(8, CPU, ACCURACY)
    rest.load(first.state())
    for each in made[29:]:
        rest.push(*each, len(each[2]))
    rest.collect()
    assert first.points.steps + rest.points.steps == whole.points.steps
    assert first.points.losses + rest.points.losses == whole.points.losses
    assert rest.take_epoch() == whole.take_epoch()


def test_asks_to_be_collected_before_it_holds_too_much() -> None:
    meter, (step,) = Meter(8, CPU, ACCURACY), steps(1)
    asked = [meter.push(*step, len(step[2])) for _ in range(MAX_PENDING_STEPS)]
    assert asked == [False] * (MAX_PENDING_STEPS - 1) + [True]


def test_points_grow_sparser_as_a_run_grows() -> None:
    assert steps_per_point(1, 128) == 1 and steps_per_point(1, 32) == 4
    sizes = [steps_per_point(step, 128) for step in range(1, 200_000)]
    assert sizes == sorted(sizes)
    num_points = sum(step % size == 0 for step, size in enumerate(sizes, 1))
    assert num_points < 10 * POINTS_PER_DOUBLING

"""The figure that progress is judged by, as sums over rows that can be added up on the device.

Shape suffixes: N rows, K classes or targets, S sums of a metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lepton_lab.specs.tasks import TASKS

if TYPE_CHECKING:
    from lepton_lab.data.targets import Target
    from lepton_lab.specs.tasks import Problem


@dataclass(frozen=True)
class Metric:
    """A metric that is made of sums.

    Attributes:
        name: As `specs.TASKS` has it; series and events are called train_<name> and val_<name>.
        higher_is_better: Whether a greater value is the better one.
        sums: From outputs and labels of N rows to what each adds, (N, S). None where nothing of a step but its loss
            is needed, or nothing can be said about a step.
        value: From the sums over some rows, their mean loss and their number to the metric; None where a step says
            nothing about it.
        num_sums: S.
        is_of_steps: Whether steps tell the metric; else it is measured on some training rows after each epoch.
    """

    name: str
    higher_is_better: bool
    sums: Callable[[Tensor, Tensor], Tensor] | None
    value: Callable[[Sequence[float], float, int], float | None]
    num_sums: int = 0
    is_of_steps: bool = True


def metric_for(problem: Problem, target: Target) -> Metric:
    """The metric of a task.

    Args:
        problem: What is learnt.
        target: How its labels are scaled; regression and ratings are judged in the source's units.
    """
    task = TASKS[problem.task]
    scale = torch.tensor(target.std or (1.0,), dtype=torch.float32)
    bounds = _scaled_bounds(target)
    whole = partial(Metric, task.metric, task.higher_is_better)
    if task.name == "classification":
        return whole(_right, _mean, 1)
    if task.name == "multilabel":
        return whole(_overlap, _f1, 2)
    if task.name == "regression":
        return whole(partial(_absolute, scale=scale, bounds=bounds), _mean, 1)
    if task.name == "rating":
        return whole(partial(_squared, scale=scale, bounds=bounds), _root_mean, 1)
    if task.name == "forecasting":
        return whole(partial(_squared, scale=torch.ones(1), bounds=(None, None)), _mean, 1)
    if task.name == "language":
        return whole(None, _perplexity)
    return whole(None, _nothing, is_of_steps=False)


def _right(outputs_NK: Tensor, labels: Tensor) -> Tensor:
    labels_N = labels if labels.ndim == 1 else labels.argmax(1)
    return outputs_NK.argmax(1).eq(labels_N)[:, None]


def _overlap(outputs_NK: Tensor, labels_NK: Tensor) -> Tensor:
    said_NK, true_NK = outputs_NK > 0, labels_NK > 0.5
    return torch.stack([(said_NK & true_NK).sum(1), said_NK.sum(1) + true_NK.sum(1)], dim=1)


def _absolute(outputs: Tensor, labels: Tensor, *, scale: Tensor, bounds: tuple[float | None, float | None]) -> Tensor:
    return (_off(outputs, labels, bounds).abs() * scale.to(outputs.device)).flatten(1).mean(1, keepdim=True)


def _squared(outputs: Tensor, labels: Tensor, *, scale: Tensor, bounds: tuple[float | None, float | None]) -> Tensor:
    off = _off(outputs, labels, bounds) * scale.to(outputs.device)
    return (off**2).flatten(1).mean(1, keepdim=True)


def _off(outputs: Tensor, labels: Tensor, bounds: tuple[float | None, float | None]) -> Tensor:
    """How far outputs are from the labels, (N, ...) of at least two axes."""
    if bounds != (None, None):
        outputs = outputs.clamp(*bounds)
    off = outputs - labels
    return off if off.ndim > 1 else off[:, None]


def _scaled_bounds(target: Target) -> tuple[float | None, float | None]:
    """Least and greatest sensible value as a network says it; answers are clipped to them in serving too."""
    if len(target.std) != 1:
        return None, None
    ends = (target.low, target.high)
    low, high = (None if end is None else (end - target.mean[0]) / target.std[0] for end in ends)
    return low, high


def _mean(sums: Sequence[float], loss: float, num_rows: int) -> float:
    return sums[0] / max(1, num_rows)


def _root_mean(sums: Sequence[float], loss: float, num_rows: int) -> float:
    return math.sqrt(max(0.0, sums[0]) / max(1, num_rows))


def _f1(sums: Sequence[float], loss: float, num_rows: int) -> float:
    return 2 * sums[0] / sums[1] if sums[1] else 0.0


def _perplexity(sums: Sequence[float], loss: float, num_rows: int) -> float:
    return math.exp(min(loss, 50.0))


def _nothing(sums: Sequence[float], loss: float, num_rows: int) -> None:
    return None

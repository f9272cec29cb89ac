"""The learning rate at which the loss falls fastest (Smith 2015, https://arxiv.org/abs/1506.01186)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from lepton_lab.training import checkpoints
from lepton_lab.training.feed import Feed
from lepton_lab.training.objective import Objective
from lepton_lab.training.optimizers import Optimizer
from lepton_lab.training.plan import Plan
from lepton_lab.training.step import NonFiniteLoss, Step

LOWEST, HIGHEST = 1e-6, 3.0
NUM_STEPS = 120
SMOOTHING = 0.9
DIVERGED = 3.0
"""The trial ends when the loss is so many times its lowest."""


@dataclass(frozen=True)
class Found:
    """What a trial found.

    Attributes:
        learning_rate: Where the loss fell fastest.
        rates: Learning rate of each step of the trial.
        losses: Smoothed loss of each.
    """

    learning_rate: float
    rates: list[float]
    losses: list[float]


def find_learning_rate(
    module: nn.Module, objective: Objective, feed: Feed, plan: Plan, make: Callable[[nn.Module, Plan], Optimizer]
) -> Found:
    """Trains a copy of the network for some steps with a rate that grows from hardly anything to far too much.

    The network, and the state of chance, stay as they are.

    Args:
        module: Freshly made, on its device.
        objective: What is made small.
        feed: The training rows in their order.
        plan: Optimizer, precision, clipping.
        make: Makes the plan's optimizer for a network.
    """
    chance = checkpoints.random_state()
    trial = copy.deepcopy(module).train()
    step = Step(trial, make(trial, plan), objective, plan)
    rates, losses, mean, least = list[float](), list[float](), 0.0, math.inf
    for number in range(NUM_STEPS):
        rate = LOWEST * (HIGHEST / LOWEST) ** (number / (NUM_STEPS - 1))
        try:
            loss = float(step(feed.at(number), rate)[0])
        except NonFiniteLoss:
            break
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smooth = mean / (1 - SMOOTHING ** (number + 1))
        rates.append(rate)
        losses.append(smooth)
        least = min(least, smooth)
        if smooth > DIVERGED * least + 1e-9:
            break
    checkpoints.set_random_state(chance)
    return Found(steepest(rates, losses), rates, losses)


def steepest(rates: list[float], losses: list[float]) -> float:
    """The rate at which the loss falls fastest over the logarithm of the rate, before its lowest point."""
    end = losses.index(min(losses)) if losses else 0
    if end < 2:
        return rates[0] if rates else LOWEST
    slopes = [losses[i + 1] - losses[i - 1] for i in range(1, end)]
    return rates[1 + slopes.index(min(slopes))]

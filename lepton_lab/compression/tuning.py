"""The fine-tuning loop: like training, with something that holds the weights in shape around every step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import nn

from lepton_lab.compression.material import Material
from lepton_lab.training.optimizers import AdamW

BATCH_ROWS = 128
LEAST_STEPS = 300
"""Fine-tuning takes at least so many steps; a few passes over a small dataset would heal nothing."""
WARM_FRACTION = 0.1
"""Share of the steps in which the step length rises."""
Progress = Callable[[float], None]


class Constraint(Protocol):
    """Holds the weights of a network in the shape that they will be written in."""

    def before(self, progress: float) -> None:
        """Before a forward pass: the network gets the weights as they would be written. `progress` is 0 to 1."""
        ...

    def after(self) -> None:
        """After the backward pass: the network gets the weights back that the optimizer moves."""
        ...

    def settle(self) -> None:
        """At the end: the network keeps the weights as they will be written."""
        ...


class Free:
    """Holds nothing."""

    def before(self, progress: float) -> None:
        """Leaves the weights as they are."""

    def after(self) -> None:
        """Leaves the weights as they are."""

    def settle(self) -> None:
        """Leaves the weights as they are."""


class Together:
    """Several constraints around one another, the first one innermost."""

    def __init__(self, *parts: Constraint) -> None:
        self._parts = parts

    def before(self, progress: float) -> None:
        """In order."""
        for part in self._parts:
            part.before(progress)

    def after(self) -> None:
        """Backwards."""
        for part in reversed(self._parts):
            part.after()

    def settle(self) -> None:
        """In order."""
        for part in self._parts:
            part.settle()


def tune(
    network: nn.Module,
    material: Material,
    *,
    epochs: float,
    learning_rate: float,
    constraint: Constraint | None = None,
    seed: int = 0,
    progress: Progress = lambda share: None,
) -> nn.Module:
    """Trains a network on, in place.

    Args:
        network: What is tuned.
        material: Rows, labels and the original's answers.
        epochs: Passes over the rows; parts of one are allowed, and there are at least `LEAST_STEPS` steps.
        learning_rate: Step length at its highest; it rises for a tenth of the steps and falls along a cosine.
        constraint: What holds the weights in shape.
        seed: Seed of the order of rows and of dropout.
        progress: Told now and then which share of the steps is done.

    Returns:
        The same network, in evaluation mode, its weights settled.
    """
    held = constraint or Free()
    order = torch.Generator().manual_seed(seed)
    num_rows = len(material)
    batch_rows = min(BATCH_ROWS, max(8, num_rows // 8))
    num_steps = max(LEAST_STEPS, math.ceil(epochs * num_rows / batch_rows))
    optimizer = AdamW(network.parameters(), 0.0)
    queue = torch.empty(0, dtype=torch.int64)
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for step in range(num_steps):
            if len(queue) < batch_rows:
                queue = torch.cat([queue, torch.randperm(num_rows, generator=order)])
            index, queue = queue[:batch_rows], queue[batch_rows:]
            held.before(step / num_steps)
            material.loss(network, index).backward()  # type: ignore[no-untyped-call]
            held.after()
            optimizer.step(learning_rate * _shape(step / num_steps))
            optimizer.zero_grad()
            if step % 20 == 0:
                progress(step / num_steps)
    with torch.no_grad():
        held.settle()
    return network.eval()


def _shape(progress: float) -> float:
    """The step length's share of its highest value: up for a tenth of the way, then down along a cosine."""
    if progress < WARM_FRACTION:
        return (progress + 0.01) / (WARM_FRACTION + 0.01)
    return max(0.01, 0.5 * (1 + math.cos(math.pi * (progress - WARM_FRACTION) / (1 - WARM_FRACTION))))


def matrices(network: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that make up the size of a network: kernels, matrices and embeddings, by name."""
    return {name: weight for name, weight in network.named_parameters() if weight.ndim >= 2}

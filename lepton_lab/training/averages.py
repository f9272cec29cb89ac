"""The running average of the weights, which is often better than the weights themselves (Polyak and Juditsky 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lepton_lab.training.checkpoints import Tensors, copy_of, put, tensors_of


class Average:
    """An exponential moving average of weights and buffers.

    Args:
        module: The network that trains.
        decay: Share of the average that a step leaves in place; lower in the first steps, so that the first weights
            are soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._module, self.tensors = module, copy_of(module)
        now = tensors_of(module)
        self._floats = [name for name, tensor in now.items() if tensor.is_floating_point()]
        self._others = [name for name in now if name not in set(self._floats)]
        self._averages = [self.tensors[name] for name in self._floats]
        self._weights = [now[name] for name in self._floats]
        self._kept: Tensors | None = None

    @torch.no_grad()
    def update(self, num_steps: int) -> None:
        """Moves the average towards the weights, after so many steps."""
        decay = min(self.decay, (1 + num_steps) / (10 + num_steps))
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Puts the average into the network for the length of the block."""
        self._kept = copy_of(self._module)
        self._take_others()
        put(self._module, self.tensors)
        try:
            yield
        finally:
            put(self._module, self._kept)
            self._kept = None

    def weights(self) -> Tensors:
        """The weights and buffers that train, wherever the average is at this moment."""
        return tensors_of(self._module) if self._kept is None else self._kept

    def load(self, tensors: Tensors) -> None:
        """Takes back `tensors` of a checkpoint."""
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)

    def _take_others(self) -> None:
        """Whole numbers, such as a counter of batches, are taken as they are."""
        now = tensors_of(self._module)
        for name in self._others:
            self.tensors[name].copy_(now[name])

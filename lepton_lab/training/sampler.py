"""Which rows each step sees: one permutation an epoch, cut into steps of nearly equal size.

All follows from the seed and the epoch alone, so a resumed run needs no more than its position to go on.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

STEPS_PER_POOL = 32
"""Rows with lengths are sorted within the rows of so many steps: little padding, and an order that stays random."""


class Sampler:
    """Order and cut of the training rows.

    Every row is seen once an epoch. Steps differ by at most one row (1,294 rows in steps of at most 32 make 41 steps
    of 31 or 32), so no tiny rest disturbs a batch norm.

    Args:
        num_rows: Training rows, at least 1.
        batch_size: Largest number of rows in a step.
        seed: Seed of the run.
        device: Where the order is needed.
        lengths: Steps of each row (N,), where rows have lengths: a step then sees rows of nearly the same length.
    """

    def __init__(
        self, num_rows: int, batch_size: int, seed: int, device: torch.device, lengths: Tensor | None = None
    ) -> None:
        self.num_rows, self.seed, self.device = num_rows, seed, device
        self.steps_per_epoch = -(-num_rows // batch_size)
        self.bounds = [k * num_rows // self.steps_per_epoch for k in range(self.steps_per_epoch + 1)]
        self._lengths = lengths
        self._epoch, self._parts = -1, list[Tensor]()

    def rows(self, step: int) -> Tensor:
        """Row numbers (B,) int64 of a step; steps count from 0 through the whole run."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        self._turn_to(epoch)
        return self._parts[batch]

    def block(self, epoch: int, first: int, last: int) -> tuple[Tensor, list[int]]:
        """Row numbers of the steps `first` up to `last` of an epoch, end to end, and how many each step has."""
        self._turn_to(epoch)
        parts = self._parts[first:last]
        return torch.cat(parts), [len(part) for part in parts]

    def _turn_to(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(self.num_rows, generator=generator)
        sizes = [stop - start for start, stop in pairwise(self.bounds)]
        if self._lengths is None:
            parts = list(order.to(self.device, non_blocking=True).split_with_sizes(sizes))
        else:
            parts = list(self._by_length(order, self._lengths).to(self.device).split_with_sizes(sizes))
            parts = [parts[k] for k in torch.randperm(len(parts), generator=generator).tolist()]
        self._epoch, self._parts = epoch, parts

    def _by_length(self, order: Tensor, lengths: Tensor) -> Tensor:
        """An order in which neighbours are of nearly the same length."""
        pools = [self.bounds[k] for k in range(0, self.steps_per_epoch, STEPS_PER_POOL)] + [self.num_rows]
        pieces = [order[start:stop] for start, stop in pairwise(pools)]
        return torch.cat([piece[lengths[piece].argsort(stable=True)] for piece in pieces])

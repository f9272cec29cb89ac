"""Batches in the order of the sampler, gathered for a block of steps at a time.

One gathering of many small batches costs little more than one of a single batch. A block begins at a multiple of its
length within an epoch, so a resumed run gathers, and augments, the very same blocks.
"""

from __future__ import annotations

from collections.abc import Callable

from lepton_lab.training.resident import Batch, Rows
from lepton_lab.training.sampler import Sampler

BLOCK_BYTES = 1 << 20
"""A block stays within a core's own cache."""

MOST_STEPS = 64

Change = Callable[[list[Batch], int], list[Batch]]
"""Changes the batches of a block at random; the number is the block's first step, from which chance follows."""


class Feed:
    """What each step sees.

    Args:
        rows: The training rows.
        sampler: Their order.
        row_bytes: Size of one row of input.
        change: Augmentation.
        steps_per_block: Steps gathered together (default: as many as a core's cache holds).
    """

    def __init__(
        self,
        rows: Rows,
        sampler: Sampler,
        row_bytes: int,
        *,
        change: Change | None = None,
        steps_per_block: int | None = None,
    ) -> None:
        self._rows, self._sampler, self._change = rows, sampler, change
        step_bytes = max(1, row_bytes * sampler.bounds[1])
        self._length = steps_per_block or max(1, min(MOST_STEPS, BLOCK_BYTES // step_bytes))
        self._first, self._block = 0, list[Batch]()

    def at(self, step: int) -> Batch:
        """The batch of a step; steps count from 0 through the whole run."""
        if not self.holds(step):
            self.gather(step)
        return self._block[step - self._first]

    def holds(self, step: int) -> bool:
        """Whether the batch of a step is there already."""
        return 0 <= step - self._first < len(self._block)

    def gather(self, step: int) -> None:
        """Gathers the block that a step is in."""
        self._block = []  # the old block goes before the new one comes
        steps_per_epoch = self._sampler.steps_per_epoch
        epoch, batch = divmod(step, steps_per_epoch)
        first = batch // self._length * self._length
        last = min(first + self._length, steps_per_epoch)
        self._first = epoch * steps_per_epoch + first
        block = self._rows.batches(*self._sampler.block(epoch, first, last))
        self._block = block if self._change is None else self._change(block, self._first)

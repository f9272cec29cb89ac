"""Rows and labels where the compute is: prepared once, contiguous, cut out by index.

What would not fit is kept as it is stored (memory-mapped) and prepared batch by batch instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from lepton_lab.data.rows import Ragged, Windows
from lepton_lab.training import memory
from lepton_lab.training.columns import Boxes, Column, Dense, Padded, Streamed, Stretches

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

MEMORY_FRACTION = 0.3
"""Share of the free memory that a prepared split may take."""


class Batch(NamedTuple):
    """Some rows, ready for a network.

    Attributes:
        inputs: What the network is called with: rows, and their lengths where they have any.
        labels: What its answer is compared with: a tensor, or a list of boxes.
    """

    inputs: tuple[Tensor, ...]
    labels: Any


class Rows:
    """A split, ready for a network.

    Args:
        inputs: What the network sees.
        labels: What it should say, for as many rows.
        device: Where they are.
    """

    def __init__(self, inputs: Column, labels: Column, device: torch.device) -> None:
        self.inputs, self.labels, self.device = inputs, labels, device

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> Tensor | None:
        """Steps of each row (N,), on the CPU, where rows have lengths of their own."""
        return self.inputs.lengths if isinstance(self.inputs, Padded) else None

    def batch(self, index: Tensor) -> Batch:
        """The rows in `index` (B,), on the device."""
        return Batch(self.inputs.take(index), self.labels.take(index)[0])

    def batches(self, index: Tensor, sizes: list[int]) -> list[Batch]:
        """The rows in `index`, cut into batches of `sizes`."""
        pairs = zip(self.inputs.many(index, sizes), self.labels.many(index, sizes), strict=True)
        return [Batch(inputs, labels[0]) for inputs, labels in pairs]

    def passes(self, size: int) -> Iterator[tuple[Tensor, Batch]]:
        """All rows once, `size` at a time, with their numbers (on the CPU); alike lengths together."""
        lengths = self.lengths
        if lengths is None:
            for start in range(0, len(self), size):
                stop = min(start + size, len(self))
                batch = Batch(self.inputs.span(start, stop), self.labels.span(start, stop)[0])
                yield torch.arange(start, stop), batch
            return
        order = lengths.argsort(stable=True)
        for start in range(0, len(self), size):
            index = order[start : start + size]
            yield index, self.batch(index.to(self.device))


class Some(Rows):
    """Some rows of a split, as a split of their own; rows have no lengths.

    Args:
        rows: The whole split.
        index: Numbers of the rows (n,), on the CPU.
    """

    def __init__(self, rows: Rows, index: Tensor) -> None:
        super().__init__(rows.inputs, rows.labels, rows.device)
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    def passes(self, size: int) -> Iterator[tuple[Tensor, Batch]]:
        for start in range(0, len(self), size):
            places = torch.arange(start, min(start + size, len(self)))
            yield places, self.batch(self._index[places].to(self.device))


def place(dataset: PreparedDataset, split: str, device: torch.device, *, free_bytes: int | None = None) -> Rows:
    """A split's rows on the device where they fit into a share of its free memory, else streamed.

    Args:
        dataset: Rows as they are stored, what prepares them, and how labels are scaled.
        split: "train", "validation" or "test".
        device: Where the network is.
        free_bytes: Memory that is free there (default: asked for).
    """
    part, problem = dataset.splits[split], dataset.problem
    free_bytes = _free_bytes(device) if free_bytes is None else free_bytes
    return Rows(
        _inputs(part.inputs, dataset.preparation.apply, problem.input_shape, device, free_bytes),
        _labels(part.labels, dataset.target.apply, device),
        device,
    )


def _inputs(rows: Any, prepare: Any, shape: tuple[int, ...], device: torch.device, free_bytes: int) -> Column:
    if isinstance(rows, Ragged):
        return Padded(rows, prepare, device, longest=shape[0])
    if isinstance(rows, Windows):
        return Stretches(rows, prepare, device)
    if len(rows) * math.prod(shape) * 4 > MEMORY_FRACTION * free_bytes:
        return Streamed(rows, prepare, device)
    return Dense(rows, prepare, device, shape)


def _labels(rows: Any, prepare: Any, device: torch.device) -> Column:
    if isinstance(rows, Ragged):
        return Boxes(rows, device)
    if isinstance(rows, Windows):
        return Stretches(rows, prepare, device)
    return Dense(rows, prepare, device)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return memory.free_bytes()

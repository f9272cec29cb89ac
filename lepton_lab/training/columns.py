"""One side of a split, inputs or labels, where the compute is: what a batch of it looks like, by its stored form.

| column | stored | a batch |
|---|---|---|
| `Dense` | an array of rows | (B, ...); pictures with the channels last |
| `Streamed` | the same, larger than the memory | prepared when a batch asks for it |
| `Padded` | `Ragged` | (B, longest of the batch, ...) and lengths (B,) |
| `Stretches` | `Windows` | (B, length, ...) |
| `Boxes` | `Ragged` | a list of B tensors |

Every column hands out tuples: what a network is called with, or one tensor of labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lepton_lab.data.rows import Ragged, Windows

ROWS_PER_CHUNK = 4096

Prepare = Callable[[np.ndarray], np.ndarray]
"""From stored rows to what a network or a loss takes."""


class Column(Protocol):
    """Rows of one side of a split."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> tuple[Any, ...]:
        """The rows in `index` (B,), on the device."""
        ...

    def span(self, start: int, stop: int) -> tuple[Any, ...]:
        """The rows from `start` up to `stop`."""
        ...

    def many(self, index: Tensor, sizes: list[int]) -> list[tuple[Any, ...]]:
        """The rows in `index`, cut into batches of `sizes`: the same as `take` for each part."""
        ...


class Dense:
    """All rows in one tensor on the device, cut out by index."""

    def __init__(self, rows: Any, prepare: Prepare, device: torch.device, shape: tuple[int, ...] | None = None) -> None:
        """Prepares all rows.

        Args:
            rows: Stored rows, N of them.
            prepare: Makes (M, *shape) of M stored rows.
            device: Where the network is.
            shape: Of one prepared row; three axes are a picture. None: labels, prepared in one go.
        """
        self._picture = shape if shape is not None and len(shape) == 3 else None
        if shape is None:
            self._store = as_tensor(prepare(np.asarray(rows))).to(device)
            return
        store: Tensor | None = None
        for start in range(0, len(rows), ROWS_PER_CHUNK):
            chunk = as_tensor(prepare(rows[start : start + ROWS_PER_CHUNK]))
            if self._picture:
                chunk = chunk.permute(0, 2, 3, 1)
            if store is None:
                store = torch.empty(len(rows), *chunk.shape[1:], dtype=chunk.dtype)
            store[start : start + len(chunk)] = chunk
        self._store = torch.empty(0, *shape) if store is None else store.to(device)

    def __len__(self) -> int:
        return len(self._store)

    def take(self, index: Tensor) -> tuple[Tensor]:
        """See `Column`."""
        return (self._shaped(self._store.index_select(0, index)),)

    def span(self, start: int, stop: int) -> tuple[Tensor]:
        """See `Column`."""
        return (self._shaped(self._store[start:stop]),)

    def many(self, index: Tensor, sizes: list[int]) -> list[tuple[Any, ...]]:
        """See `Column`; one gathering for all."""
        return [(part,) for part in self.take(index)[0].split_with_sizes(sizes)]

    def _shaped(self, rows: Tensor) -> Tensor:
        return rows.permute(0, 3, 1, 2) if self._picture else rows


class Streamed:
    """Rows as they are stored, prepared when a batch asks for them."""

    def __init__(self, rows: Any, prepare: Prepare, device: torch.device) -> None:
        self._rows, self._prepare, self._device = rows, prepare, device

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, index: Tensor) -> tuple[Tensor]:
        """See `Column`."""
        return (self._placed(self._rows[index.cpu().numpy()]),)

    def span(self, start: int, stop: int) -> tuple[Tensor]:
        """See `Column`."""
        return (self._placed(self._rows[start:stop]),)

    def many(self, index: Tensor, sizes: list[int]) -> list[tuple[Any, ...]]:
        """See `Column`."""
        return [(part,) for part in self.take(index)[0].split_with_sizes(sizes)]

    def _placed(self, stored: np.ndarray) -> Tensor:
        rows = as_tensor(self._prepare(stored))
        if rows.ndim == 4:
            rows = rows.contiguous(memory_format=torch.channels_last)
        return rows.to(self._device)


class Padded:
    """Rows of their own lengths, filled with zeros up to the longest of a batch.

    Args:
        rows: As they are stored.
        prepare: Scales stored steps one by one.
        device: Where the network is.
        longest: Steps that a row may have; the rest is cut off.
    """

    def __init__(self, rows: Ragged, prepare: Prepare, device: torch.device, longest: int) -> None:
        self._values = _compact(rows.values, prepare).to(device)
        self._starts = as_tensor(rows.offsets[:-1]).to(device)
        self.lengths = as_tensor(rows.lengths).clamp(max=longest)
        """Steps of each row (N,) int64, on the CPU: to look at them costs no wait for a device."""
        self._device = device

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """See `Column`: rows (B, longest, ...) and lengths (B,), at least 1."""
        lengths = self.lengths.index_select(0, index.cpu())
        steps = torch.arange(max(1, int(lengths.max())), device=self._device)
        lengths = lengths.to(self._device, non_blocking=True)
        places = self._starts.index_select(0, index)[:, None] + steps
        is_there = steps < lengths[:, None]
        rows = self._values[places.clamp_(max=max(0, len(self._values) - 1))]
        rows = rows.long() if rows.dtype == torch.int32 else rows
        is_empty = ~is_there.view(*is_there.shape, *[1] * (rows.ndim - 2))
        return rows.masked_fill_(is_empty, 0), lengths.clamp(min=1)

    def span(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """See `Column`."""
        return self.take(torch.arange(start, stop, device=self._device))

    def many(self, index: Tensor, sizes: list[int]) -> list[tuple[Any, ...]]:
        """See `Column`; each batch is as long as its own longest row."""
        return [self.take(part) for part in index.split_with_sizes(sizes)]


class Stretches:
    """Windows on one series that lies on the device once."""

    def __init__(self, rows: Windows, prepare: Prepare, device: torch.device) -> None:
        self._series = as_tensor(prepare(rows.series)).to(device)
        self._starts = as_tensor(np.asarray(rows.starts, dtype=np.int64)).to(device)
        self._steps = torch.arange(rows.length, device=device)

    def __len__(self) -> int:
        return len(self._starts)

    def take(self, index: Tensor) -> tuple[Tensor]:
        """See `Column`."""
        return (self._series[self._starts.index_select(0, index)[:, None] + self._steps],)

    def span(self, start: int, stop: int) -> tuple[Tensor]:
        """See `Column`."""
        return (self._series[self._starts[start:stop, None] + self._steps],)

    def many(self, index: Tensor, sizes: list[int]) -> list[tuple[Any, ...]]:
        """See `Column`."""
        return [(part,) for part in self.take(index)[0].split_with_sizes(sizes)]


class Boxes:
    """Labels of which each row has any number: a batch is a list with a tensor (n, ...) for each row."""

    def __init__(self, rows: Ragged, device: torch.device) -> None:
        self._rows = [torch.from_numpy(np.array(row, dtype=np.float32)).to(device) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, index: Tensor) -> tuple[list[Tensor]]:
        """See `Column`."""
        return ([self._rows[row] for row in index.tolist()],)

    def span(self, start: int, stop: int) -> tuple[list[Tensor]]:
        """See `Column`."""
        return (self._rows[start:stop],)

    def many(self, index: Tensor, sizes: list[int]) -> list[tuple[Any, ...]]:
        """See `Column`."""
        return [self.take(part) for part in index.split_with_sizes(sizes)]


def _compact(values: np.ndarray, prepare: Prepare) -> Tensor:
    """Prepared steps; tokens with their groups of letters in half the memory, prepared a part at a time."""
    if values.ndim < 2 or values.dtype.kind not in "iu":
        return as_tensor(prepare(values))
    store = torch.empty(values.shape, dtype=torch.int32)
    for start in range(0, len(values), ROWS_PER_CHUNK):
        store[start : start + ROWS_PER_CHUNK] = torch.from_numpy(prepare(values[start : start + ROWS_PER_CHUNK]))
    return store


def as_tensor(array: Any) -> Tensor:
    """A tensor of its own: whole numbers as int64, all others as float32."""
    array = np.asarray(array)
    array = np.ascontiguousarray(array, dtype=np.int64 if array.dtype.kind in "iub" else np.float32)
    return torch.from_numpy(array if array.flags.writeable else array.copy())

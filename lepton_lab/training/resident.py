"""Rows and labels where the compute is: prepared once, contiguous, cut out by index.

What would not fit is kept as it is stored (memory-mapped) and prepared batch by batch instead.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import psutil
import torch

if TYPE_CHECKING:
    from lepton_lab.data.preparation import Preparation

ROWS_PER_CHUNK = 4096
MEMORY_FRACTION = 0.3
"""Share of the free memory that a prepared split may take."""


class Rows(Protocol):
    """A split's rows, ready for a network."""

    labels: torch.Tensor

    def __len__(self) -> int: ...

    def batch(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (B, *input_shape) float32 and labels (B,) int64 of the rows in `index` (B,), on the device."""
        ...

    def span(self, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The same for the rows from `start` up to `stop`."""
        ...


class ResidentRows:
    """All rows prepared, in one tensor on the device; pictures with the channels last."""

    def __init__(
        self, split: Any, preparation: Preparation, input_shape: tuple[int, ...], device: torch.device
    ) -> None:
        self.labels = torch.from_numpy(np.array(split.labels, dtype=np.int64)).to(device)
        self._shape = tuple(input_shape)
        self._is_image = len(self._shape) == 3
        store = torch.empty(len(split.labels), math.prod(self._shape), dtype=torch.float32)
        for start in range(0, len(store), ROWS_PER_CHUNK):
            chunk = _prepare(preparation, split.inputs[start : start + ROWS_PER_CHUNK])
            if self._is_image:
                chunk = chunk.permute(0, 2, 3, 1)
            store[start : start + len(chunk)] = chunk.reshape(len(chunk), -1)
        self._store = store.to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (B, *input_shape) and labels (B,) of the rows in `index`."""
        return self._shaped(self._store.index_select(0, index)), self.labels.index_select(0, index)

    def span(self, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and labels of consecutive rows."""
        return self._shaped(self._store[start:stop]), self.labels[start:stop]

    def _shaped(self, flat: torch.Tensor) -> torch.Tensor:
        if not self._is_image:
            return flat.view(len(flat), *self._shape)
        channels, height, width = self._shape
        return flat.view(len(flat), height, width, channels).permute(0, 3, 1, 2)


class StreamedRows:
    """Rows as they are stored, prepared when a batch asks for them."""

    def __init__(self, split: Any, preparation: Preparation, device: torch.device) -> None:
        self.labels = torch.from_numpy(np.array(split.labels, dtype=np.int64)).to(device)
        self._inputs, self._preparation, self._device = split.inputs, preparation, device

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs (B, *input_shape) and labels (B,) of the rows in `index`."""
        return self._placed(self._inputs[index.cpu().numpy()]), self.labels.index_select(0, index)

    def span(self, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and labels of consecutive rows."""
        return self._placed(self._inputs[start:stop]), self.labels[start:stop]

    def _placed(self, stored: np.ndarray) -> torch.Tensor:
        inputs = _prepare(self._preparation, stored)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs.to(self._device)


def _prepare(preparation: Preparation, stored: np.ndarray) -> torch.Tensor:
    prepared = np.ascontiguousarray(preparation.apply(stored), dtype=np.float32)
    return torch.from_numpy(prepared if prepared.flags.writeable else prepared.copy())


def place(
    split: Any,
    preparation: Preparation,
    input_shape: tuple[int, ...],
    device: torch.device,
    *,
    free_bytes: int | None = None,
) -> Rows:
    """A split's rows on the device where they fit into a share of its free memory, else streamed.

    Args:
        split: Has `inputs` (stored form) and `labels`.
        preparation: Turns stored rows into (N, *input_shape) float32.
        input_shape: Shape of one prepared row.
        device: Where the network is.
        free_bytes: Memory that is free there (default: asked for).
    """
    needed = len(split.labels) * math.prod(input_shape) * 4
    if needed > MEMORY_FRACTION * (_free_bytes(device) if free_bytes is None else free_bytes):
        return StreamedRows(split, preparation, device)
    return ResidentRows(split, preparation, input_shape, device)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)

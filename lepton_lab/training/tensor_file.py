"""Safetensors files written tensor by tensor, so that memory holds one of them at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
    torch.uint64: "U64", torch.uint32: "U32", torch.uint16: "U16", torch.bool: "BOOL", torch.complex64: "C64",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip
"""What safetensors calls them."""


class Place(NamedTuple):
    """A tensor that is to be in a file."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Its size."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


def in_order(places: Iterable[Place]) -> list[Place]:
    """Places as they stand in a file: wide numbers first, so that each begins at a multiple of its width."""
    return sorted(places, key=lambda place: (-place.dtype.itemsize, place.name))


def write_tensors(path: Path, places: Sequence[Place], tensors: Iterable[Tensor]) -> None:
    """Writes a safetensors file.

    Args:
        path: Where to.
        places: What is in it, as `in_order` has it.
        tensors: The tensors in that order, on any device; each is asked for when the one before is written.

    Raises:
        OSError: The disk is full, say.
    """
    head: dict[str, Any] = {}
    end = 0
    for place in places:
        begin, end = end, end + place.num_bytes
        head[place.name] = {"dtype": DTYPES[place.dtype], "shape": [*place.shape], "data_offsets": [begin, end]}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors:
            plain = tensor.detach().cpu().contiguous().reshape(-1)
            file.write(plain.view(torch.uint8).numpy().data)

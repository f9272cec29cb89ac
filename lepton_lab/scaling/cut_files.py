"""A checkpoint of a network that is cut: rank 0 writes whole tensors, one after the other.

So the files are those of one process, and any number of processes goes on from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lepton_lab.scaling.cutting import Cutting
from lepton_lab.training.checkpoints import Tensors, write_state
from lepton_lab.training.optimizers import Optimizer

DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""What safetensors calls them."""


class Piece(NamedTuple):
    """A tensor of a file: this rank's part of it, and the length of its first axis; None where each rank has it all."""

    name: str
    part: Tensor
    num_rows: int | None

    @property
    def shape(self) -> list[int]:
        """Of the whole."""
        return [*self.part.shape] if self.num_rows is None else [self.num_rows, *self.part.shape[1:]]

    @property
    def num_bytes(self) -> int:
        """Of the whole."""
        return torch.Size(self.shape).numel() * self.part.dtype.itemsize


def write_together(
    folder: Path | None,
    content: dict[str, Tensors | None],
    optimizer: Optimizer,
    cutting: Cutting,
    state: dict[str, Any],
) -> int:
    """Writes the files of a checkpoint as `training.checkpoints.write` does; all ranks call this.

    Args:
        folder: An empty folder; None in ranks that write nothing.
        content: This rank's parts of the tensors, by file.
        optimizer: Whose tensors `content["optimizer"]` are.
        cutting: How the network is cut.
        state: Plain JSON-able values.

    Returns:
        The size in bytes.
    """
    for file, tensors in content.items():
        if not tensors:
            continue
        rows = rows_of(optimizer, cutting) if file == "optimizer" else cutting.num_rows
        pieces = [Piece(name, part, rows.get(name)) for name, part in tensors.items()]
        wholes = (_whole(each, cutting) for each in pieces)
        if folder is None:
            for _ in wholes:
                pass
        else:
            stream(folder / f"{file}.safetensors", pieces, wholes)
    return write_state(folder, state) if folder is not None else 0


def rows_of(optimizer: Optimizer, cutting: Cutting) -> dict[str, int]:
    """Length of the first axis of each of the optimizer's tensors, by the name that a checkpoint has for it."""
    rows = {id(part): cutting.num_rows[name] for name, part in zip(cutting.moved, cutting.parts, strict=True)}
    return {
        f"{g}.{s}.{i}": rows[id(group.parameters[i])]
        for g, group in enumerate(optimizer.groups)
        for s in range(len(group.slots))
        for i in range(len(group.parameters))
    }


def stream(path: Path, pieces: list[Piece], wholes: Iterator[Tensor | None]) -> None:
    """Writes a safetensors file tensor by tensor, so that no two of them are in memory."""
    head: dict[str, Any] = {}
    end = 0
    for each in pieces:
        begin, end = end, end + each.num_bytes
        head[each.name] = {"dtype": DTYPES[each.part.dtype], "shape": each.shape, "data_offsets": [begin, end]}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for whole in wholes:
            assert whole is not None
            file.write(whole.contiguous().reshape(-1).view(torch.uint8).numpy().data)


def _whole(piece: Piece, cutting: Cutting) -> Tensor | None:
    if piece.num_rows is None:
        return piece.part.detach().cpu()
    return cutting.whole(piece.part.detach(), piece.num_rows)

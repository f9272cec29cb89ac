"""A checkpoint of a network that is cut: rank 0 writes whole tensors, one after the other.

So the files are those of one process, and any number of processes goes on from them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from lepton_lab.scaling.cutting import Cutting
from lepton_lab.training.checkpoints import Tensors, write_state
from lepton_lab.training.optimizers import Optimizer
from lepton_lab.training.tensor_file import Place, in_order, write_tensors


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
        places = in_order(_place(name, part, rows.get(name)) for name, part in tensors.items())
        wholes = (_whole(tensors[place.name], rows.get(place.name), cutting) for place in places)
        if folder is None:
            for _ in wholes:
                pass
        else:
            write_tensors(folder / f"{file}.safetensors", places, (each for each in wholes if each is not None))
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


def _place(name: str, part: Tensor, num_rows: int | None) -> Place:
    """Where the whole of a tensor stands; `num_rows` is None for what each rank has all of."""
    shape = tuple(part.shape) if num_rows is None else (num_rows, *part.shape[1:])
    return Place(name, part.dtype, shape)


def _whole(part: Tensor, num_rows: int | None, cutting: Cutting) -> Tensor | None:
    return part if num_rows is None else cutting.whole(part.detach(), num_rows)

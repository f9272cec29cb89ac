"""All that a later process needs to go on as if nothing had happened, as safetensors and one JSON file.

| file | content |
|---|---|
| model.safetensors | the weights and buffers of the step |
| optimizer.safetensors | the optimizer's tensors; a forked run may begin without |
| best.safetensors | the weights of the best epoch so far, when there is one |
| average.safetensors | the running average of the weights, when there is one |
| state.json | step, schedule, random states, open sums, best epoch |
"""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from lepton_lab.errors import RunFailed
from lepton_lab.training.tensor_file import Place, in_order, write_tensors

FORMAT = 2

Tensors = dict[str, torch.Tensor]


class Saved(NamedTuple):
    """A checkpoint that was read."""

    model: Tensors
    optimizer: Tensors
    best: Tensors | None
    average: Tensors | None
    state: dict[str, Any]


def write(
    folder: Path,
    *,
    model: Tensors,
    optimizer: Tensors,
    best: Tensors | None,
    state: dict[str, Any],
    average: Tensors | None = None,
) -> int:
    """Writes the files of a checkpoint and returns their size in bytes.

    Args:
        folder: An empty folder; the run store makes it durable and puts it in place.
        model: The network's `state_dict()`.
        optimizer: The optimizer's tensors.
        best: Weights of the best epoch so far.
        state: Plain JSON-able values.
        average: The running average of the weights.
    """
    parts = {"model": model, "optimizer": optimizer} | ({"best": best} if best else {})
    parts |= {"average": average} if average else {}
    for name, tensors in parts.items():
        places = in_order(Place(key, each.dtype, tuple(each.shape)) for key, each in tensors.items())
        write_tensors(folder / f"{name}.safetensors", places, (tensors[place.name] for place in places))
    return write_state(folder, state)


def write_state(folder: Path, state: dict[str, Any]) -> int:
    """Writes the plain values of a checkpoint, whose tensors are there, and returns the size of all files in bytes."""
    (folder / "state.json").write_text(json.dumps({"format": FORMAT, **state}, allow_nan=False))
    return sum(file.stat().st_size for file in folder.iterdir())


def read(folder: Path) -> Saved:
    """Reads what `write` wrote.

    Raises:
        RunFailed: The checkpoint was written by a version that this one cannot read.
    """
    state = _read_state(folder)
    optimizer = folder / "optimizer.safetensors"
    best, average = folder / "best.safetensors", folder / "average.safetensors"
    return Saved(
        load_file(folder / "model.safetensors"),
        load_file(optimizer) if optimizer.exists() else {},
        load_file(best) if best.exists() else None,
        load_file(average) if average.exists() else None,
        state,
    )


def read_best(folder: Path) -> Tensors:
    """The network that a run is judged by, and nothing else: the best weights, else their average, else the last.

    Raises:
        RunFailed: As `read` does.
    """
    _read_state(folder)
    files = [folder / f"{name}.safetensors" for name in ("best", "average", "model")]
    return load_file(next(file for file in files if file.exists()))


def _read_state(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    if state.get("format") != FORMAT:
        raise RunFailed(
            f"The checkpoint has format {state.get('format')!r}; this version of lepton_lab reads {FORMAT}. "
            "Resume the run with the version that wrote it.",
            "error",
        )
    return state


def own_part(tensor: torch.Tensor) -> torch.Tensor:
    """The numbers of a tensor that this process holds: all, unless the network is cut over several (a DTensor)."""
    whole = tensor.detach()
    part: torch.Tensor = whole.to_local() if hasattr(whole, "to_local") else whole
    return part


def tensors_of(module: nn.Module) -> Tensors:
    """A network's weights and buffers themselves, of a network that is cut over processes this one's part of them."""
    return {name: own_part(tensor) for name, tensor in module.state_dict().items()}


def copy_of(module: nn.Module) -> Tensors:
    """A network's weights and buffers as they are now; see `tensors_of`."""
    return {name: tensor.clone() for name, tensor in tensors_of(module).items()}


@torch.no_grad()
def put(module: nn.Module, tensors: Tensors) -> None:
    """Puts weights and buffers, as `copy_of` gave them, into a network."""
    for name, tensor in tensors_of(module).items():
        tensor.copy_(tensors[name])


@torch.no_grad()
def are_finite(module: nn.Module) -> bool:
    """Whether every parameter is a finite number; asks the device once. A buffer, a mask say, may hold infinity."""
    norms = torch._foreach_norm([own_part(p) for p in module.parameters() if p.requires_grad])
    return bool(torch.isfinite(torch.stack([norm.float() for norm in norms])).all().item())


def random_state() -> dict[str, Any]:
    """The state of every random generator that a run uses, as plain values."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, internal, next_gauss = random.getstate()
    state: dict[str, Any] = {
        "python": [version, list(internal), next_gauss],
        "numpy": [name, np.asarray(keys).tolist(), position, has_gauss, gauss],
        "torch": _encode(torch.get_rng_state()),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state["cuda"] = [_encode(each) for each in torch.cuda.get_rng_state_all()]
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Takes back what `random_state` gave."""
    version, internal, next_gauss = state["python"]
    random.setstate((version, tuple(internal), next_gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(_decode(state["torch"]))
    if "cuda" in state and torch.cuda.is_available() and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all([_decode(each) for each in state["cuda"]])


def seed_everything(seed: int) -> None:
    """Seeds the random generators of Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _encode(state: torch.Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def _decode(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)

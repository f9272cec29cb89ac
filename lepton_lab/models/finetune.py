"""Going on from weights that are there: a safetensors file into a network, and layers that stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lepton_lab.errors import ModelError

NAMES_SHOWN = 4


@dataclass(frozen=True)
class Taken:
    """What was taken from a file of weights.

    Attributes:
        taken: Names of the tensors that the network has now from the file.
        fresh: Names of its tensors that the file does not have in that shape; they keep their first values.
        unused: Names in the file that the network has no place for.
    """

    taken: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        said = f"{len(self.taken)} of {len(self.taken) + len(self.fresh)} tensors taken"
        return said + (f", new ones for {_some(self.fresh)}" if self.fresh else "")


def load_weights(module: nn.Module, path: str | Path) -> Taken:
    """Copies every tensor of a safetensors file that fits a tensor of the network, by name and shape.

    A last layer for other classes does not fit and is left to be learnt. A prefix that all names of the file share
    beside the network's own ("model.", "module.") is passed over.

    Args:
        module: The network; it is changed.
        path: A safetensors file. No other kind is read: pickled weights can run code.

    Raises:
        ModelError: The file cannot be read, or nothing in it fits.
    """
    saved = _without_prefix(_read(Path(path)), module)
    own = module.state_dict()
    taken = [name for name, tensor in own.items() if name in saved and saved[name].shape == tensor.shape]
    if not any(own[name].ndim > 1 for name in taken):  # a bias alone is a chance likeness
        raise ModelError(
            f"Nothing in {Path(path).name!r} fits this network: it has {_some(saved)}, the network has {_some(own)}. "
            "Give the weights of a network of the same kind and the same options."
        )
    with torch.no_grad():
        for name in taken:
            own[name].copy_(saved[name])
    fresh = tuple(name for name in own if name not in taken)
    return Taken(tuple(taken), fresh, tuple(name for name in saved if name not in own))


def freeze(module: nn.Module, pattern: str) -> list[str]:
    """Keeps some layers as they are: their weights do not move, their norms keep their statistics.

    Args:
        module: The network; it is changed.
        pattern: Names of weights or layers, with `*` for anything, several with commas between: "stages.*,stem".

    Returns:
        Names of the weights that stay.

    Raises:
        ModelError: The pattern names nothing, or nothing is left to be learnt.
    """
    patterns = [each.strip() for each in pattern.split(",") if each.strip()]
    names = [name for name, _ in module.named_parameters()]
    kept = []
    for each in patterns:
        found = [name for name in names if fnmatchcase(name, each) or name.startswith(each.rstrip(".*") + ".")]
        if not found:
            raise ModelError(f"freeze: no weight of the network is called {each!r}; it has {_some(names, 12)}.")
        kept += found
    for name, parameter in module.named_parameters():
        if name in kept:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ModelError(f"freeze: {pattern!r} leaves nothing to be learnt; leave out the last layer.")
    for part in module.modules():
        own = list(part.parameters(recurse=False))
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and own and not any(p.requires_grad for p in own):
            part.eval()
            part.train = _Stays(part)  # type: ignore[method-assign, assignment]
    return [name for name in names if name in kept]


class _Stays:
    """In the place of `train` of a layer that stays in evaluation mode."""

    def __init__(self, part: nn.Module) -> None:
        self.part = part

    def __call__(self, mode: bool = True) -> nn.Module:
        return self.part


def _read(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(f"There is no file of weights at {str(path)!r}; give the path of a .safetensors file.")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"{path.name!r} is no file of weights that can be read ({error}); expected the safetensors format "
            "(safetensors.torch.save_file writes it)."
        ) from error


def _without_prefix(saved: dict[str, torch.Tensor], module: nn.Module) -> dict[str, torch.Tensor]:
    own = module.state_dict()
    if any(name in own for name in saved):
        return saved
    for prefix in ("module.", "model.", "_orig_mod."):
        if saved and all(name.startswith(prefix) for name in saved):
            return _without_prefix({name[len(prefix) :]: tensor for name, tensor in saved.items()}, module)
    return saved


def _some(names: Any, most: int = NAMES_SHOWN) -> str:
    names = list(names)
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "") if names else "nothing"

"""What each layer of a network received and returned, seen by hooks during one forward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass
class Layer:
    """One innermost module of a network during a forward pass.

    Attributes:
        name: Its path in the network ("stages.0.0").
        kind: Its class ("Conv2d").
        input_shape: Shape that it received, with the batch first.
        output_shape: Shape that it returned; None when it failed.
        num_parameters: Numbers that training can move.
        num_macs: Multiplications for the whole batch, of layers that hold matrices.
    """

    name: str
    kind: str
    num_parameters: int = 0
    input_shape: tuple[int, ...] | None = None
    output_shape: tuple[int, ...] | None = None
    num_macs: int = 0

    def line(self) -> str:
        """The layer as one line of an error message."""
        to = f"-> {self.output_shape}" if self.output_shape else "<- failed here"
        return f"{self.name} ({self.kind}): {self.input_shape} {to}"


@contextmanager
def traced(module: nn.Module) -> Iterator[list[Layer]]:
    """Gives the list that every innermost module writes itself into while the network runs inside the block."""
    layers: list[Layer] = []
    handles = [
        handle
        for name, part in module.named_modules()
        if not any(True for _ in part.children())
        for handle in _watch(name or type(part).__name__, part, layers)
    ]
    try:
        yield layers
    finally:
        for handle in handles:
            handle.remove()


def _watch(name: str, part: nn.Module, layers: list[Layer]) -> list[Any]:
    open_calls: list[Layer] = []

    def before(_: nn.Module, args: tuple[Any, ...]) -> None:
        open_calls.append(Layer(name, type(part).__name__, input_shape=_shape(args)))
        layers.append(open_calls[-1])

    def after(_: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        layer = open_calls.pop()
        layer.output_shape = _shape(result)
        layer.num_parameters = sum(p.numel() for p in part.parameters() if p.requires_grad)
        layer.num_macs = _num_macs(part, layer)

    return [part.register_forward_pre_hook(before), part.register_forward_hook(after)]


def _shape(value: Any) -> tuple[int, ...] | None:
    """Shape of the first tensor in a value, which may be a nest of tuples."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, (tuple, list)):
        return next((shape for shape in map(_shape, value) if shape is not None), None)
    return None


def _num_macs(part: nn.Module, layer: Layer) -> int:
    """Multiplications of a layer: its own word, else each number of a matrix once per place that it writes to."""
    if callable(getattr(part, "num_macs", None)) and layer.output_shape:
        return int(part.num_macs(layer.output_shape))  # type: ignore[operator]
    matrices = [p for p in part.parameters(recurse=False) if p.ndim >= 2]
    if not matrices or not layer.output_shape or isinstance(part, nn.Embedding):
        return 0
    shape = layer.output_shape
    is_convolution = isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
    places = shape[0] * math.prod(shape[2:]) if is_convolution else math.prod(shape[:-1])
    return places * sum(p.numel() for p in matrices)

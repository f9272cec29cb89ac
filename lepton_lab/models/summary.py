"""Layers, shapes, parameters and work of a network, before a minute is spent on it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from lepton_lab.models.check import NUM_ROWS
from lepton_lab.models.probe import probe
from lepton_lab.models.registry import build
from lepton_lab.models.tracing import Layer, traced
from lepton_lab.specs import ModelSpec, Problem

BATCH_SIZE = 32
"""Rows of a step where none are named."""


@dataclass(frozen=True)
class ModelSummary:
    """A network on paper.

    Attributes:
        name: What the spec calls it.
        input_shape: Shape of one row.
        layers: The innermost modules in the order in which they ran, shapes without the batch.
        num_parameters: Numbers that training can move.
        num_frozen: Numbers that stay as they are.
        num_macs: Multiplications to answer one row.
        num_flops: Floating-point operations of these: a multiplication and an addition each.
        parameter_bytes: Size of the weights.
        batch_size: Rows of a step that `training_bytes` is for.
        training_bytes: Estimate of the memory of a training step: weights, gradients, two tensors of the optimizer
            beside each weight, and what every layer returns.
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    num_parameters: int
    num_frozen: int
    num_macs: int
    num_flops: int
    parameter_bytes: int
    batch_size: int
    training_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain JSON-able values."""
        values = asdict(self)
        return {**values, "input_shape": list(self.input_shape), "layers": [_plain(layer) for layer in self.layers]}

    def __str__(self) -> str:
        rows = [(f"{x.name} ({x.kind})", str(x.output_shape), f"{x.num_parameters:,}") for x in self.layers]
        rows = [("layer", "output shape", "parameters"), *rows]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        total = f"{self.num_parameters:,} parameters, {self.num_macs:,} multiplications a row"
        return "\n".join([*lines, total])


def _plain(layer: Layer) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(layer).items()}


def summary(spec: ModelSpec, problem: Problem, *, batch_size: int | None = None) -> ModelSummary:
    """Builds the network that a spec asks for and describes it.

    Raises:
        ModelError: The network cannot be built, or does not fit the rows.
    """
    with torch.random.fork_rng(devices=[]):
        module = build(spec, problem)
    return describe(module, problem, name=spec.name, batch_size=batch_size)


def describe(module: nn.Module, problem: Problem, *, name: str, batch_size: int | None = None) -> ModelSummary:
    """Describes a network that is there, by a few made-up rows; its mode and weights stay as they are."""
    was_training = module.training
    first = next(module.parameters())
    module.eval()
    try:
        with traced(module) as layers, torch.no_grad():
            module(*(part.to(first.device) for part in probe(problem, NUM_ROWS)))
    finally:
        module.train(was_training)
    for layer in layers:
        layer.input_shape = layer.input_shape[1:] if layer.input_shape else None
        layer.output_shape = layer.output_shape[1:] if layer.output_shape else None
        layer.num_macs //= NUM_ROWS
    weights = list(module.parameters())
    trainable = [p for p in weights if p.requires_grad]
    num_macs = sum(layer.num_macs for layer in layers)
    batch_size = batch_size or BATCH_SIZE
    activations = sum(math.prod(layer.output_shape or ()) for layer in layers) * batch_size
    weight_bytes = sum(p.numel() * p.element_size() for p in weights)
    moved_bytes = sum(p.numel() * p.element_size() for p in trainable)
    return ModelSummary(
        name=name,
        input_shape=tuple(problem.input_shape),
        layers=tuple(layers),
        num_parameters=sum(p.numel() for p in trainable),
        num_frozen=sum(p.numel() for p in weights if not p.requires_grad),
        num_macs=num_macs,
        num_flops=2 * num_macs,
        parameter_bytes=weight_bytes,
        batch_size=batch_size,
        training_bytes=weight_bytes + 3 * moved_bytes + 4 * activations,
    )

"""Layers, shapes, parameters and work of a network, before a minute is spent on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from lepton_lab.models.check import NUM_ROWS
from lepton_lab.models.probe import probe
from lepton_lab.models.registry import build
from lepton_lab.models.tracing import Layer, traced
from lepton_lab.specs import ModelSpec, Problem


@dataclass(frozen=True)
class ModelSummary:
    """A network on paper.

    Attributes:
        name: What the spec calls it.
        input_shape: Shape of one row.
        layers: The innermost modules in the order in which they ran, shapes without the batch.
        num_parameters: Numbers that training can move.
        num_macs: Multiplications to answer one row.
        parameter_bytes: Size of the weights.
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    num_parameters: int
    num_macs: int
    parameter_bytes: int

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


def summary(spec: ModelSpec, problem: Problem) -> ModelSummary:
    """Builds the network that a spec asks for and describes it.

    Raises:
        ModelError: The network cannot be built, or does not fit the rows.
    """
    with torch.random.fork_rng(devices=[]):
        module = build(spec, problem)
    return describe(module, problem, name=spec.name)


def describe(module: nn.Module, problem: Problem, *, name: str) -> ModelSummary:
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
    trainable = [p for p in module.parameters() if p.requires_grad]
    return ModelSummary(
        name=name,
        input_shape=tuple(problem.input_shape),
        layers=tuple(layers),
        num_parameters=sum(p.numel() for p in trainable),
        num_macs=sum(layer.num_macs for layer in layers),
        parameter_bytes=sum(p.numel() * p.element_size() for p in trainable),
    )

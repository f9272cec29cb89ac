"""A shared step of a network that is cut: gradients come in parts, each to the rank whose weights they move."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lepton_lab.scaling.step import SharedStep

NORM_EPSILON = 1e-6
"""As `torch.nn.utils.clip_grad_norm_` has it."""


class CutStep(SharedStep):
    """`SharedStep` on parts of a network; see there for the other arguments.

    Args:
        parts: This rank's parts of the weights, in the order of the network's.
    """

    def __init__(self, *arguments: Any, parts: list[Tensor]) -> None:
        super().__init__(*arguments)
        self._parts = parts

    def split(self, num_rows: int) -> bool:
        """Never: the others are in the middle of a pass, in which each layer needs all ranks."""
        return False

    def _gradients(self) -> list[Tensor]:
        """None: FSDP has added them up in the backward pass. Each part gets the one of its weight."""
        weights = [p for p in self._module.parameters() if p.requires_grad]
        for weight, part in zip(weights, self._parts, strict=True):
            part.grad = None if weight.grad is None else weight.grad.to_local()  # type: ignore[attr-defined]
            weight.grad = None
        return []

    @torch.no_grad()
    def _clip(self, longest: float) -> None:
        gradients = [each.grad for each in self._parts if each.grad is not None]
        squares = torch.stack(torch._foreach_norm(gradients)).double().square().sum().reshape(1)
        factor = longest / (self._team.sum(squares).sqrt() + NORM_EPSILON)
        torch._foreach_mul_(gradients, float(factor.clamp(max=1.0)))

"""Muon: momentum whose direction is made orthogonal, for the matrices inside a network; AdamW for all the rest.

Source: Keller Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; the size of a move follows Liu et al.
2025, https://arxiv.org/abs/2502.16982, so that one learning rate suits matrices and the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from lepton_lab.training.optimizers import AdamW, Group, Optimizer

MUON_MOMENTUM = 0.95
NUM_TURNS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz turn: they push all singular values of a matrix towards 1."""

MOVE = 0.2
"""Root mean square of a move through the learning rate, about that of AdamW."""


class Muon(Optimizer):
    """See the module.

    Args:
        parameters: What training moves.
        weight_decay: Pull of matrices towards zero, apart from the gradient.
        fused: Use AdamW's fused kernel for what is no inner matrix.
        edges: Parameters that are no inner matrices, though they have two axes: embeddings and the last layer.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        weight_decay: float,
        *,
        fused: bool = True,
        edges: Iterable[Tensor] = (),
    ) -> None:
        moved = [p for p in parameters if p.requires_grad]
        outer = {id(p) for p in edges}
        inner = [p for p in moved if p.ndim >= 2 and id(p) not in outer]
        inside = {id(p) for p in inner}
        self._rest = AdamW([p for p in moved if id(p) not in inside], weight_decay, fused=fused)
        self._matrices = Group(inner, weight_decay, 1)
        self.groups = [self._matrices, *self._rest.groups]
        self.parameters = [p for group in self.groups for p in group.parameters]
        self.num_steps, self.fused = 0, fused

    def _prepare(self) -> None:
        self._rest.num_steps = self.num_steps
        if self._rest.parameters:
            self._rest._prepare()

    def _update(self, group: Group, learning_rate: float) -> None:
        if group is not self._matrices:
            self._rest._update(group, learning_rate)
            return
        parameters, gradients, (velocities,) = group.ready()
        if not parameters:
            return
        torch._foreach_lerp_(velocities, gradients, 1 - MUON_MOMENTUM)
        moves = torch._foreach_lerp(gradients, velocities, MUON_MOMENTUM)
        if group.weight_decay:
            torch._foreach_mul_(parameters, 1 - learning_rate * group.weight_decay)
        for i, turned, size in self._turned(parameters, list(moves)):
            parameters[i].add_(turned.view_as(parameters[i]), alpha=-size * learning_rate)

    def _turned(self, parameters: list[Tensor], moves: list[Tensor]) -> Iterator[tuple[int, Tensor, float]]:
        """Each move made orthogonal: its position, the matrix, and how long it is to be."""
        for places in _alike(parameters):
            stack = torch.stack([moves[i].flatten(1) for i in places])
            for i, turned in zip(places, orthogonal(stack), strict=True):
                yield i, turned, size_of_move(*turned.shape)


def size_of_move(num_rows: int, num_columns: int) -> float:
    """How long a move of a matrix is at a learning rate of 1."""
    return MOVE * math.sqrt(max(num_rows, num_columns))


def orthogonal(stack_NRC: Tensor) -> Tensor:
    """The nearest matrices whose singular values are about 1, without a singular value decomposition: (N, R, C)."""
    a, b, c = QUINTIC
    turned = stack_NRC.transpose(1, 2) if stack_NRC.shape[1] > stack_NRC.shape[2] else stack_NRC
    turned = turned / (turned.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(NUM_TURNS):
        square = turned @ turned.transpose(1, 2)
        turned = a * turned + (b * square + c * square @ square) @ turned
    back: Tensor = turned.transpose(1, 2)
    return back if stack_NRC.shape[1] > stack_NRC.shape[2] else turned


def edges_of(module: nn.Module) -> list[Tensor]:
    """Embeddings, and the last layer's matrix: what Muon leaves to AdamW."""
    tables = [each.weight for each in module.modules() if isinstance(each, nn.Embedding | nn.EmbeddingBag)]
    matrices = [p for p in module.parameters() if p.requires_grad and p.ndim == 2]
    return tables + matrices[-1:]


def _alike(parameters: list[Tensor]) -> list[list[int]]:
    """Positions of the parameters that have the same shape as matrices, so that they are turned together."""
    by_shape: dict[tuple[int, int], list[int]] = {}
    for i, parameter in enumerate(parameters):
        by_shape.setdefault((parameter.shape[0], parameter[0].numel()), []).append(i)
    return list(by_shape.values())

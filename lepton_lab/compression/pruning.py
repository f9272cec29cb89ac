"""Unstructured pruning: more and more of the smallest weights become zero while the rest is fine-tuned.

The share of zeros follows Zhu and Gupta 2017, "To prune, or not to prune" (https://arxiv.org/abs/1710.01878); which
weights go is decided over all layers at once by the layer-adaptive score of Lee et al. 2021
(https://arxiv.org/abs/2010.07611), which never empties a layer.
"""

from __future__ import annotations

import torch
from torch import nn

from lepton_lab.compression.tuning import matrices

SETTLED_AT = 0.6
"""Share of the steps after which no further weight is pruned; the rest heals."""
STEPS_BETWEEN = 16
SMALL_LAYER = 512
"""Layers with fewer weights are left whole: they save nothing and cost accuracy."""


class Pruning:
    """Keeps zeros zero, and makes more of them until the wanted share is reached.

    Args:
        network: What is pruned; weights that are zero already stay so.
        sparsity: Wanted share of zeros among the weights of all layers that are large enough.
        begun_at: The share that an earlier pruning has reached.
    """

    def __init__(self, network: nn.Module, sparsity: float, begun_at: float = 0.0) -> None:
        self._weights = [weight for weight in matrices(network).values() if weight.numel() >= SMALL_LAYER]
        self._masks = [torch.ones_like(weight) for weight in self._weights]
        self._sparsity, self._begun_at = sparsity, begun_at
        self._num_calls = 0

    def before(self, progress: float) -> None:
        """Prunes as far as the schedule says."""
        if self._num_calls % STEPS_BETWEEN == 0 and progress <= SETTLED_AT:
            missing = (self._sparsity - self._begun_at) * (1 - progress / SETTLED_AT) ** 3
            self._prune(self._sparsity - missing)
        self._num_calls += 1
        self._apply()

    def after(self) -> None:
        """Zeros feel no pull."""
        for weight, mask in zip(self._weights, self._masks, strict=True):
            if weight.grad is not None:
                weight.grad.mul_(mask)

    def settle(self) -> None:
        """Prunes to the wanted share where the schedule has not reached it, and leaves exact zeros."""
        self._prune(self._sparsity)
        self._apply()

    @torch.no_grad()
    def _apply(self) -> None:
        for weight, mask in zip(self._weights, self._masks, strict=True):
            weight.mul_(mask)

    @torch.no_grad()
    def _prune(self, sparsity: float) -> None:
        if not self._weights or sparsity <= 0:
            return
        scores = [_layer_scores(weight) for weight in self._weights]
        every = torch.cat([score.reshape(-1) for score in scores])
        num_zeros = int(sparsity * len(every))
        if num_zeros == 0:
            return
        threshold = every.kthvalue(num_zeros).values
        for mask, score in zip(self._masks, scores, strict=True):
            mask.mul_(score > threshold)


def _layer_scores(weight: torch.Tensor) -> torch.Tensor:
    """Each weight's square, divided by the sum of all squares of its layer that are not smaller."""
    squares = weight.detach().reshape(-1).square().double()
    ordered, order = squares.sort()
    remaining = ordered.flip(0).cumsum(0).flip(0).clamp_min(1e-300)
    scores = torch.empty_like(squares)
    scores[order] = ordered / remaining
    return scores.reshape(weight.shape)


class KeptZeros:
    """Keeps the zeros of a network that was pruned before, through whatever comes next."""

    def __init__(self, network: nn.Module) -> None:
        self._weights = list(matrices(network).values())
        self._masks = [(weight != 0).to(weight.dtype) for weight in self._weights]

    @torch.no_grad()
    def before(self, progress: float) -> None:
        """Zeros are zero when the network runs."""
        for weight, mask in zip(self._weights, self._masks, strict=True):
            weight.mul_(mask)

    def after(self) -> None:
        """Zeros feel no pull."""
        for weight, mask in zip(self._weights, self._masks, strict=True):
            if weight.grad is not None:
                weight.grad.mul_(mask)

    def settle(self) -> None:
        """Zeros are written as zeros."""
        self.before(1.0)

"""Rounding with the loop closed: the forward pass sees rounded weights, the optimizer moves the full ones.

The gradient passes the rounding as if it were not there (straight-through estimation, Bengio et al. 2013,
https://arxiv.org/abs/1308.3432; training with the rounding in place after Jacob et al. 2018,
https://arxiv.org/abs/1712.05877).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lepton_lab.compression.tuning import matrices

STEPS_BETWEEN_SCALES = 25
CLIPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Shares of a row's largest weight that are tried as its largest step; the one with the least error is taken."""


class Rounding:
    """Weights as whole steps of one scale a row (an output channel, a word, a gate's unit).

    Args:
        network: What is rounded.
        bits: Bits of a step; steps run from -(2**(bits-1) - 1) to 2**(bits-1) - 1.
    """

    def __init__(self, network: nn.Module, bits: int) -> None:
        self._weights = list(matrices(network).values())
        self._full = [weight.detach().clone() for weight in self._weights]
        self._scales: list[torch.Tensor] = []
        self._largest = 2 ** (bits - 1) - 1
        self._num_calls = 0

    @torch.no_grad()
    def before(self, progress: float) -> None:
        """Rounds; the scales are found anew now and then."""
        if self._num_calls % STEPS_BETWEEN_SCALES == 0:
            self._scales = [best_scales(_rows(weight), self._largest) for weight in self._weights]
        self._num_calls += 1
        for weight, full, scales in zip(self._weights, self._full, self._scales, strict=True):
            full.copy_(weight)
            weight.copy_(rounded(_rows(weight), scales, self._largest).reshape(weight.shape))

    @torch.no_grad()
    def after(self) -> None:
        """Gives the full weights back."""
        for weight, full in zip(self._weights, self._full, strict=True):
            weight.copy_(full)

    def settle(self) -> None:
        """Rounds with scales of the final weights."""
        self._num_calls = 0
        self.before(1.0)


def _rows(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().reshape(len(weight), -1)


def rounded(rows: torch.Tensor, scales: torch.Tensor, largest: int) -> torch.Tensor:
    """Rows (R, C) as whole steps of their scales (R,), at most `largest` steps from zero."""
    steps = (rows / scales[:, None]).round().clamp(-largest, largest)
    return steps * scales[:, None] + 0.0  # no negative zeros: they would be values of their own in the file


def best_scales(rows: torch.Tensor, largest: int) -> torch.Tensor:
    """The scale of each row (R, C) with the least squared error; float16 values, so that two bytes hold one."""
    reach = rows.abs().amax(1)
    found, least = torch.ones_like(reach), torch.full_like(reach, float("inf"))
    for clip in CLIPS:
        # A scale is at least the smallest normal float16; rows that need less are as good as zero.
        scales = (reach * (clip / largest)).half().float().clamp_min(2.0**-14)
        error = (rounded(rows, scales, largest) - rows).square().sum(1)
        better = error < least
        found, least = torch.where(better, scales, found), torch.where(better, error, least)
    return found


@contextmanager
def rounded_activations(network: nn.Module) -> Iterator[None]:
    """For the length of the block, what goes into a convolution or a matrix is rounded to 8 bits, too."""
    watches = [_Watch() for _ in range(sum(_is_rounded(layer) for layer in network.modules()))]
    layers = [layer for layer in network.modules() if _is_rounded(layer)]
    handles = [layer.register_forward_pre_hook(watch) for layer, watch in zip(layers, watches, strict=True)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_rounded(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)


class _Watch:
    """Follows the range of what flows into a layer, and rounds it to 256 steps of that range."""

    FOLLOW = 0.05

    def __init__(self) -> None:
        self._low, self._high = 0.0, 0.0

    def __call__(self, layer: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The layer's arguments, the first of them rounded."""
        inputs = arguments[0].float()
        if layer.training:
            low, high = (float(bound) for bound in inputs.detach().aminmax())
            share = self.FOLLOW if self._high > self._low else 1.0
            self._low += share * (min(low, 0.0) - self._low)
            self._high += share * (max(high, 0.0) - self._high)
        scale = max((self._high - self._low) / 255, 1e-8)
        zero = round(-self._low / scale)
        return (torch.fake_quantize_per_tensor_affine(inputs, scale, min(255, max(0, zero)), 0, 255), *arguments[1:])

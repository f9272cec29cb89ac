"""Weight sharing: the weights of a layer take a few values, and these values are fine-tuned.

After Han et al. 2016, "Deep Compression" (https://arxiv.org/abs/1510.00149): one-dimensional k-means with centres
spread over the layer's range; the gradient of a centre is that of all weights which share it. Zeros that pruning has
left stay zeros.
"""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import nn

from lepton_lab.compression.tuning import matrices

NUM_ROUNDS = 40
"""Rounds of k-means; the centres stand still earlier."""
PRUNED_SHARE = 0.2
"""With more zeros than this a layer counts as pruned, and zero is one of its values."""


class Sharing:
    """Lets the weights of each layer share values.

    Args:
        network: What is tuned.
        levels: Different values of a layer, zero included where the layer was pruned.
    """

    def __init__(self, network: nn.Module, levels: int) -> None:
        self._groups = [_Group(weights, levels) for weights in _layers(network)]
        self._is_first = True

    def before(self, progress: float) -> None:
        """The first time, every weight takes the nearest value; later steps move all that share one alike."""
        if self._is_first:
            self._is_first = False
            for group in self._groups:
                group.assign()

    def after(self) -> None:
        """Weights that share a value share its gradient; zeros have none."""
        for group in self._groups:
            group.join_gradients()

    def settle(self) -> None:
        """Makes weights that share a value equal to the last bit, where rounding has moved them apart."""
        self.before(1.0)
        for group in self._groups:
            group.level()


class _Group:
    """The weights that share one set of values."""

    def __init__(self, weights: list[nn.Parameter], levels: int) -> None:
        self._weights = weights
        flat = torch.cat([weight.detach().reshape(-1) for weight in weights]).numpy()
        self._has_zero = bool((flat == 0).mean() > PRUNED_SHARE)
        levels = min(levels, max(2, len(flat) // 8))
        kept = flat[flat != 0] if self._has_zero else flat
        centres = kmeans(kept, levels - self._has_zero) if len(kept) else np.empty(0)
        codes = _nearest(flat, centres)
        if self._has_zero:
            codes = np.where(flat == 0, 0, codes + 1)
            centres = np.concatenate([[0.0], centres])
        self._codes = torch.from_numpy(codes.astype(np.int64))
        self._values = torch.from_numpy(centres.astype(np.float32))
        self._counts = torch.bincount(self._codes, minlength=len(centres)).clamp_min(1).float()

    @torch.no_grad()
    def assign(self) -> None:
        """Gives every weight its value."""
        self._spread(self._values, [weight.data for weight in self._weights])

    @torch.no_grad()
    def join_gradients(self) -> None:
        """Replaces each gradient by the mean over all weights with the same value."""
        gradients = [weight.grad for weight in self._weights]
        present = [gradient for gradient in gradients if gradient is not None]
        if len(present) != len(gradients):
            return
        self._spread(self._means(present), present)

    @torch.no_grad()
    def level(self) -> None:
        """Replaces each weight by the mean over all weights with the same value."""
        data = [weight.data for weight in self._weights]
        self._spread(self._means(data), data)

    def _means(self, tensors: list[torch.Tensor]) -> torch.Tensor:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        means = torch.zeros(len(self._counts)).scatter_add_(0, self._codes, flat) / self._counts
        if self._has_zero:
            means[0] = 0.0
        return means

    def _spread(self, values: torch.Tensor, targets: list[torch.Tensor]) -> None:
        """Writes each weight's value into tensors shaped like the weights."""
        spread, start = values[self._codes], 0
        for target in targets:
            target.copy_(spread[start : start + target.numel()].reshape(target.shape))
            start += target.numel()


def _layers(network: nn.Module) -> list[list[nn.Parameter]]:
    """Weights by layer: both directions of a recurrent layer share their values, as they lie in one ONNX tensor."""
    found: dict[str, list[nn.Parameter]] = {}
    for name, weight in matrices(network).items():
        found.setdefault(re.sub(r"_reverse$", "", name), []).append(weight)
    return list(found.values())


def kmeans(values: np.ndarray, num_centres: int) -> np.ndarray:
    """Centres of one-dimensional k-means, ascending; they start evenly over the range.

    Args:
        values: (N,), N >= 1.
        num_centres: How many; fewer come back where there are fewer different values.
    """
    ordered = np.sort(values.astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centres = np.linspace(ordered[0], ordered[-1], num_centres)
    for _ in range(NUM_ROUNDS):
        borders = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        edges = np.concatenate([[0], borders, [len(ordered)]])
        counts = np.diff(edges)
        moved = np.where(counts > 0, np.diff(sums[edges]) / np.maximum(1, counts), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.unique(centres)


def _nearest(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The number of the centre nearest to each value."""
    found: np.ndarray = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
    return found

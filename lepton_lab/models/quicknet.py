"""The network of the speed records on small pictures: whitened pixels, wide convolutions, pooling before the norms.

The family began with Page's "How to train your ResNet" (2018); this form follows Jordan 2024, "94% on CIFAR-10 in 3.29
seconds on a single GPU" (https://arxiv.org/abs/2404.00498).

Shape suffixes: B rows, C channels, H height, W width, P numbers of a patch, K answers.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lepton_lab.specs import Problem, QuicknetOptions

PATCH = 2
"""Side of the patches whose correlations the first layer takes away."""

LARGEST_SIDE = 72
"""Pictures with a longer side are folded into blocks first."""

WHITENING_ROWS = 2_000
EPSILON = 5e-4


class Group(nn.Module):
    """A convolution, a halving of the picture where it is large enough, and a second convolution."""

    def __init__(self, num_in: int, num_out: int, halve: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(num_in, num_out, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2) if halve else nn.Identity()
        self.first_norm, self.second_norm = _norm(num_out), _norm(num_out)
        self.second = nn.Conv2d(num_out, num_out, 3, padding=1, bias=False)
        for layer in (self.first, self.second):
            nn.init.dirac_(layer.weight[: layer.in_channels])

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Feature maps (B, num_out, H / 2, W / 2)."""
        features_BCHW = nn.functional.gelu(self.first_norm(self.pool(self.first(features_BCHW))))
        result_BCHW: Tensor = nn.functional.gelu(self.second_norm(self.second(features_BCHW)))
        return result_BCHW


def _norm(width: int) -> nn.BatchNorm2d:
    """A batch norm that shifts and does not scale."""
    norm = nn.BatchNorm2d(width, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm


class Quicknet(nn.Module):
    """Whitening, three groups of convolutions, the maximum of each map, then the answers.

    The whitening layer is fixed: `get_ready` sets it from training rows before the first step.

    Args:
        problem: Pictures (C, H, W) and K answers each.
        options: Width.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 3e-3, "adam": 3e-3, "sgd": 0.5}
    """Peak learning rates that suit this network, by optimizer."""

    ready_rows = WHITENING_ROWS

    training_defaults: ClassVar[dict[str, Any]] = {"label_smoothing": 0.1}
    """Options of training that suit this network, used where they are left open."""

    def __init__(self, problem: Problem, options: QuicknetOptions) -> None:
        super().__init__()
        channels, height, width = problem.input_shape
        fold = 1 if max(height, width) <= LARGEST_SIDE else min(-(-max(height, width) // 32), height, width)
        self.crop = (height - height % fold, width - width % fold)
        self.fold = nn.PixelUnshuffle(fold) if fold > 1 else nn.Identity()
        channels, side = channels * fold * fold, min(height, width) // fold
        num_whitened = 2 * channels * PATCH**2
        self.whitening = nn.Conv2d(channels, num_whitened, PATCH, padding=0 if side > PATCH else 1)
        self.whitening.weight.requires_grad_(False)
        side, groups, num_in = side - 1 if side > PATCH else side + 1, [], num_whitened
        for num_out in (options.width, 4 * options.width, 4 * options.width):
            groups.append(Group(num_in, num_out, side >= 4))
            side, num_in = side // 2 if side >= 4 else side, num_out
        self.groups = nn.Sequential(*groups)
        self.head = nn.Linear(num_in, problem.num_outputs, bias=False)
        self.scale = 1 / 9

    @torch.no_grad()
    def get_ready(self, images_BCHW: Tensor, _: object = None) -> None:
        """Sets the whitening layer: the main directions of small patches, each way, at equal strength.

        Args:
            images_BCHW: Prepared training pictures (B, C, H, W), at least one; a few thousand are enough.
        """
        height, width = self.crop
        folded_BCHW = self.fold(images_BCHW[:WHITENING_ROWS, :, :height, :width].float())
        size = self.whitening.kernel_size
        pad = self.whitening.padding[0]
        patches = nn.functional.unfold(folded_BCHW, size, padding=pad)  # type: ignore[arg-type]
        patches_NP = patches.transpose(1, 2).flatten(0, 1).double().cpu()
        correlations_PP = patches_NP.T @ patches_NP / len(patches_NP)
        strengths_P, directions_PP = torch.linalg.eigh(correlations_PP)
        scaled_PP = (directions_PP / (strengths_P + EPSILON).sqrt()).T.flip(0)
        weights = scaled_PP.reshape(len(scaled_PP), -1, *size).to(self.whitening.weight)
        self.whitening.weight.copy_(torch.cat([weights, -weights]))

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Answers (B, K) of pictures (B, C, H, W)."""
        height, width = self.crop
        folded_BCHW = self.fold(images_BCHW[:, :, :height, :width])
        features_BCHW = self.groups(nn.functional.gelu(self.whitening(folded_BCHW)))
        answers_BK: Tensor = self.head(features_BCHW.amax((2, 3))) * self.scale
        return answers_BK

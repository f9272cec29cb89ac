"""A small convolutional network for pictures from 8x8 to a few hundred pixels a side.

Shape suffixes: N rows, C channels, H height, W width, F features, K classes.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import nn

from lepton_lab.specs import CnnOptions, Problem

LARGEST_SIDE = 40
"""Pictures with a longer side are folded into blocks by the stem, so that the convolutions see about 32 pixels."""


LATE_STAGE = 2
"""From this stage on (counted from 0) a picture is halved before its maps are doubled, which saves most of the stage's
work; accuracy of Fashion-MNIST's validation part is 0.9417 instead of 0.9423 (means of the last three epochs)."""


class Block(nn.Sequential):
    """Convolution, halving where asked, batch norm, ReLU.

    The halving comes before the norm: the norm and the activation then touch a quarter of the values.

    Args:
        num_in: Feature maps that come in.
        num_out: Feature maps that go out.
        halve: Halve the picture "before" or "after" the convolution, or not at all.
    """

    def __init__(self, num_in: int, num_out: int, *, halve: Literal["no", "before", "after"] = "no") -> None:
        layers: list[nn.Module] = [nn.Conv2d(num_in, num_out, 3, padding=1, bias=False)]
        if halve != "no":
            layers.insert(0 if halve == "before" else 1, nn.MaxPool2d(2))
        super().__init__(*layers, nn.BatchNorm2d(num_out), nn.ReLU(inplace=True))


class Cnn(nn.Module):
    """Stages of two convolutions and one halving, then the mean and the maximum of each feature map.

    Args:
        problem: Pictures (C, H, W) and K answers each.
        options: Width, depth and dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 5e-3, "adam": 5e-3, "sgd": 0.1}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: CnnOptions) -> None:
        super().__init__()
        channels, height, width = problem.input_shape
        fold = max(1, round(max(height, width) / 32)) if max(height, width) > LARGEST_SIDE else 1
        fold = min(fold, height, width)
        self.stem = nn.PixelUnshuffle(fold) if fold > 1 else nn.Identity()
        self.crop = (height - height % fold, width - width % fold)
        side = min(height, width) // fold
        stages, num_in = [], channels * fold * fold
        for stage in range(options.num_stages(problem)):
            num_out = options.channels * 2**stage
            place: Literal["before", "after"] = "before" if stage >= LATE_STAGE else "after"
            stages += [Block(num_in, num_out, halve=place if side >= 2 else "no"), Block(num_out, num_out)]
            side, num_in = max(1, side // 2), num_out
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(2 * num_in, problem.num_outputs)

    def forward(self, images_NCHW: torch.Tensor) -> torch.Tensor:
        """Class scores (N, K), not normalised, of pictures (N, C, H, W)."""
        height, width = self.crop
        features_NCHW = self.stages(self.stem(images_NCHW[:, :, :height, :width]))
        pooled_NF = torch.cat([features_NCHW.mean((2, 3)), features_NCHW.amax((2, 3))], dim=1)
        scores_NK: torch.Tensor = self.head(self.dropout(pooled_NF))
        return scores_NK

"""Residual networks for pictures: the three-stage form for small ones, the four-stage ResNet-18 for large ones.

After He et al. 2016 (https://arxiv.org/abs/1512.03385), with the norm before each convolution in the three-stage form
as in Zagoruyko and Komodakis 2016 (https://arxiv.org/abs/1605.07146).

Shape suffixes: B rows, C channels, H height, W width, K answers.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from lepton_lab.specs import Problem, ResnetOptions

SMALL_SIDE = 64
"""Pictures up to this many pixels a side are seen at full size by the first convolutions."""


class Block(nn.Module):
    """Norm, ReLU and convolution, twice, and a way around both."""

    def __init__(self, num_in: int, num_out: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.BatchNorm2d(num_in), nn.BatchNorm2d(num_out)
        self.first = nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(num_out, num_out, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout)
        is_same = num_in == num_out and stride == 1
        self.around = None if is_same else nn.Conv2d(num_in, num_out, 1, stride, bias=False)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        """Feature maps (B, num_out, H / stride, W / stride)."""
        ready_BCHW = self.first_norm(features_BCHW).relu()
        around_BCHW = features_BCHW if self.around is None else self.around(ready_BCHW)
        found_BCHW = self.second_norm(self.first(ready_BCHW)).relu()
        result_BCHW: Tensor = around_BCHW + self.second(self.dropout(found_BCHW))
        return result_BCHW


class Resnet(nn.Module):
    """A stem, stages of residual blocks that halve the picture and double the width, then the mean over the picture.

    Args:
        problem: Pictures (C, H, W) and K answers each.
        options: Form, width, blocks of a stage, dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 2e-3, "adam": 2e-3, "sgd": 0.1}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: ResnetOptions) -> None:
        super().__init__()
        channels, height, width = problem.input_shape
        is_small = max(height, width) <= SMALL_SIDE if options.form == "auto" else options.form == "cifar"
        num_stages, default_width, default_blocks = (3, 32, 2) if is_small else (4, 64, 2)
        num_in = options.width or default_width
        self.stem: nn.Module = nn.Conv2d(channels, num_in, 3, padding=1, bias=False)
        if not is_small:
            self.stem = nn.Sequential(
                nn.Conv2d(channels, num_in, 7, 2, padding=3, bias=False),
                nn.BatchNorm2d(num_in),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(3, 2, padding=1),
            )
        blocks = []
        for stage in range(num_stages):
            num_out = (options.width or default_width) * 2**stage
            for place in range(options.blocks or default_blocks):
                blocks.append(Block(num_in, num_out, 2 if stage and not place else 1, options.dropout))
                num_in = num_out
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(num_in)
        self.head = nn.Linear(num_in, problem.num_outputs)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Answers (B, K) of pictures (B, C, H, W)."""
        features_BCHW = self.norm(self.blocks(self.stem(images_BCHW))).relu()
        answers_BK: Tensor = self.head(features_BCHW.mean((2, 3)))
        return answers_BK

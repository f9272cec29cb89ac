"""A temporal convolutional network: causal filters that reach further back with each block.

After Bai et al. 2018 (https://arxiv.org/abs/1803.01271).

Shape suffixes: B rows, T steps, F features, K answers.
"""

from __future__ import annotations

import itertools
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import pad

from lepton_lab.models.reading import Steps
from lepton_lab.specs import Problem, TcnOptions

MOST_BLOCKS = 12


class Block(nn.Module):
    """Two causal filters with gaps of `dilation` steps, layer norm over features, and a way around."""

    def __init__(self, num_in: int, num_out: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.first = nn.Conv1d(num_in, num_out, kernel, dilation=dilation)
        self.second = nn.Conv1d(num_out, num_out, kernel, dilation=dilation)
        self.around = nn.Conv1d(num_in, num_out, 1) if num_in != num_out else nn.Identity()
        self.norm, self.dropout = nn.GroupNorm(1, num_out), nn.Dropout(dropout)

    def forward(self, steps_BFT: Tensor) -> Tensor:
        """Features (B, num_out, T), each step knowing only itself and those before it."""
        found_BFT = self.dropout(self.first(pad(steps_BFT, (self.reach, 0))).relu())
        found_BFT = self.dropout(self.second(pad(found_BFT, (self.reach, 0))).relu())
        result_BFT: Tensor = self.norm(found_BFT + self.around(steps_BFT))
        return result_BFT


class Tcn(nn.Module):
    """Blocks until the last step sees the whole row; it answers.

    Args:
        problem: Sequences (T, F) of one length and K answers each.
        options: Width, filter length, depth and dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 2e-3, "adam": 2e-3, "sgd": 0.05}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: TcnOptions) -> None:
        super().__init__()
        self.steps = Steps(problem)
        num_blocks = options.blocks or _blocks_needed(self.steps.num_steps, options.kernel)
        widths = [self.steps.num_features, *[options.channels] * num_blocks]
        self.blocks = nn.Sequential(
            *[
                Block(num_in, num_out, options.kernel, 2**place, options.dropout)
                for place, (num_in, num_out) in enumerate(itertools.pairwise(widths))
            ]
        )
        self.head = nn.Linear(widths[-1], problem.num_outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Answers (B, K) of rows (B, T, ...)."""
        found_BFT = self.blocks(self.steps(inputs).transpose(1, 2))
        answers_BK: Tensor = self.head(found_BFT[:, :, -1])
        return answers_BK


def _blocks_needed(num_steps: int, kernel: int) -> int:
    """Blocks until the last step sees all `num_steps`."""
    blocks, seen = 0, 1
    while seen < num_steps and blocks < MOST_BLOCKS:
        seen += 2 * (kernel - 1) * 2**blocks
        blocks += 1
    return max(1, blocks)

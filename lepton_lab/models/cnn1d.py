"""A one-dimensional convolutional network for sequences, text and sounds.

Shape suffixes: B rows, T steps, F features, K answers.
"""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lepton_lab.models.reading import TEXT_STEPS, Steps, dropout_of, pool, valid
from lepton_lab.specs import Cnn1dOptions, Problem

KERNELS = {"text": (2, 3, 4, 5), "other": (3, 9, 19)}
"""Lengths of the filters: n-grams of a text, short and long shapes of a signal."""

CHANNELS = {"text": 256, "other": 96}

BLOCKS = {"text": 1, "other": 3}


class Block(nn.Module):
    """Filters of several lengths side by side, batch norm, ReLU; from the second block on with a way around it.

    Inception in time (Fawaz et al. 2020, https://arxiv.org/abs/1909.04939) without its bottleneck.
    """

    def __init__(self, num_in: int, num_out: int, kernels: tuple[int, ...], has_norm: bool) -> None:
        super().__init__()
        widths = [num_out // len(kernels) + (place < num_out % len(kernels)) for place in range(len(kernels))]
        self.filters = nn.ModuleList(
            nn.Sequential(
                nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0),
                nn.Conv1d(num_in, width, kernel, bias=not has_norm),
            )
            for width, kernel in zip(widths, kernels, strict=True)
        )
        self.norm = nn.BatchNorm1d(num_out) if has_norm else nn.Identity()
        self.goes_round = num_in == num_out

    def forward(self, steps_BFT: Tensor) -> Tensor:
        """Features (B, num_out, T) of steps (B, num_in, T)."""
        found_BFT: Tensor = self.norm(torch.cat([each(steps_BFT) for each in self.filters], dim=1))
        return (found_BFT + steps_BFT if self.goes_round else found_BFT).relu()


class Cnn1d(nn.Module):
    """Blocks of filters, then the mean and the maximum over time of what each filter finds.

    One block over word vectors is the text network of Kim 2014 (https://arxiv.org/abs/1408.5882).

    Args:
        problem: Rows with an order (see `reading.Steps`) and K answers each.
        options: Width, depth, dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 2e-3, "adam": 2e-3, "sgd": 0.05}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: Cnn1dOptions) -> None:
        super().__init__()
        kind = "text" if problem.modality == "text" else "other"
        dropout = dropout_of(problem, options.dropout)
        self.training_defaults: dict[str, Any] = {"steps": TEXT_STEPS} if kind == "text" else {}
        self.steps = Steps(problem, options.embedding, dropout)
        widths = [self.steps.num_features, *[options.channels or CHANNELS[kind]] * (options.blocks or BLOCKS[kind])]
        self.blocks = nn.ModuleList(
            Block(num_in, num_out, KERNELS[kind], has_norm=kind != "text")
            for num_in, num_out in itertools.pairwise(widths)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * widths[-1], problem.num_outputs)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Answers (B, K) of rows (B, T, ...), of which only the first `lengths` (B,) steps count."""
        steps_BFT = self.steps(inputs).transpose(1, 2)
        inside_BT = None if lengths is None else valid(steps_BFT.transpose(1, 2), lengths)
        for block in self.blocks:
            if inside_BT is not None:  # what stands behind a row's end must not leak into it
                steps_BFT = steps_BFT * inside_BT[:, None, :].to(steps_BFT.dtype)
            steps_BFT = block(steps_BFT)
        answers_BK: Tensor = self.head(self.dropout(pool(steps_BFT.transpose(1, 2), inside_BT)))
        return answers_BK

"""A recurrent network for sequences; a picture is read row by row.

Shape suffixes: N rows, T steps of the sequence, F features, K classes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from lepton_lab.specs import Problem, RnnOptions


class Rnn(nn.Module):
    """LSTM or GRU layers; the maximum and the mean over time of what they say go to the last layer.

    Args:
        problem: Sequences (T, F), or pictures (C, H, W), which are read as H steps of C * W features; K answers each.
        options: Cell, width, depth, directions and dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 5e-3, "adam": 5e-3, "sgd": 0.3}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: RnnOptions) -> None:
        super().__init__()
        input_shape = problem.input_shape
        self.reads_rows = len(input_shape) == 3
        num_features = input_shape[0] * input_shape[2] if self.reads_rows else input_shape[1]
        cell = {"lstm": nn.LSTM, "gru": nn.GRU}[options.cell]
        self.cells = cell(
            num_features,
            options.hidden,
            options.layers,
            batch_first=True,
            bidirectional=options.bidirectional,
            dropout=options.dropout if options.layers > 1 else 0.0,
        )
        width = options.hidden * (2 if options.bidirectional else 1)
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(2 * width, problem.num_outputs)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Class scores (N, K), not normalised, of sequences (N, T, F) or pictures (N, C, H, W)."""
        steps_NTF = inputs.permute(0, 2, 1, 3).flatten(2) if self.reads_rows else inputs
        said_NTF, _ = self.cells(steps_NTF)
        pooled_NF = torch.cat([said_NTF.mean(1), said_NTF.amax(1)], dim=1)
        scores_NK: torch.Tensor = self.head(self.dropout(pooled_NF))
        return scores_NK

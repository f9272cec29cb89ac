"""A recurrent network for sequences; a picture is read row by row.

Shape suffixes: N rows, T steps of the sequence, F features, K classes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from lepton_lab.errors import ModelError
from lepton_lab.specs import RnnOptions


class Rnn(nn.Module):
    """LSTM or GRU layers; the maximum and the mean over time of what they say go to the last layer.

    Args:
        input_shape: (T, F) of one sequence, or (C, H, W) of a picture, which is read as H steps of C * W features.
        num_classes: K.
        options: Cell, width, depth, directions and dropout.

    Raises:
        ModelError: The rows are neither sequences nor pictures.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 5e-3, "adam": 5e-3, "sgd": 0.3}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, input_shape: tuple[int, ...], num_classes: int, options: RnnOptions) -> None:
        super().__init__()
        if len(input_shape) not in (2, 3):
            raise ModelError(
                f"rnn reads sequences of shape (steps, features) or pictures row by row; this dataset's rows have "
                f"shape {tuple(input_shape)}, which has no order to read in. Choose mlp for a table."
            )
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
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Class scores (N, K), not normalised, of sequences (N, T, F) or pictures (N, C, H, W)."""
        steps_NTF = inputs.permute(0, 2, 1, 3).flatten(2) if self.reads_rows else inputs
        said_NTF, _ = self.cells(steps_NTF)
        pooled_NF = torch.cat([said_NTF.mean(1), said_NTF.amax(1)], dim=1)
        scores_NK: torch.Tensor = self.head(self.dropout(pooled_NF))
        return scores_NK

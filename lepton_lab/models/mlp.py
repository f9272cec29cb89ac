"""A multi-layer perceptron for tables; anything else is flattened.

Shape suffixes: N rows, F features, K classes.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import nn

from lepton_lab.specs import MlpOptions, Problem


class Mlp(nn.Module):
    """Hidden layers of linear map, layer norm, GELU and dropout, then the class scores.

    Args:
        problem: Rows of any shape, which are flattened, and K answers each.
        options: Width, depth and dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 3e-3, "adam": 3e-3, "sgd": 0.05}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: MlpOptions) -> None:
        super().__init__()
        num_in = math.prod(problem.input_shape)
        layers: list[nn.Module] = []
        for _ in range(options.layers):
            layers += [
                nn.Linear(num_in, options.hidden),
                nn.LayerNorm(options.hidden),
                nn.GELU(),
                nn.Dropout(options.dropout),
            ]
            num_in = options.hidden
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(num_in, problem.num_outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Class scores (N, K), not normalised, of rows (N, ...)."""
        scores_NK: torch.Tensor = self.head(self.hidden(rows.flatten(1)))
        return scores_NK

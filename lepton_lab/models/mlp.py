"""A multi-layer perceptron for tables; anything else is flattened.

Shape suffixes: B rows, F features, K answers.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from lepton_lab.models.columns import READY_ROWS, Columns
from lepton_lab.specs import MlpOptions, Problem


class Mlp(nn.Module):
    """Hidden layers of linear map, layer norm, GELU and dropout, then the answers.

    Args:
        problem: Rows of any shape, which are flattened; category columns of a table are embedded.
        options: Width, depth, dropout, and how columns are read.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 3e-3, "adam": 3e-3, "sgd": 0.05}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: MlpOptions) -> None:
        super().__init__()
        self.training_defaults: dict[str, Any] = {"steps": 3500} if problem.modality == "table" else {}
        self.columns = Columns(problem, options.embedding, options.steps)
        self.ready_rows = READY_ROWS if self.columns.has_steps else 1
        num_in = self.columns.num_features
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

    def get_ready(self, rows: Tensor, labels: Tensor) -> None:
        """Looks at training rows (B, ...) before the first step; see `Columns`."""
        self.columns.get_ready(rows)

    def forward(self, rows: Tensor) -> Tensor:
        """Answers (B, K) of rows (B, ...)."""
        answers_BK: Tensor = self.head(self.hidden(self.columns(rows)))
        return answers_BK

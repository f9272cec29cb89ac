"""A residual network for tables (Gorishniy et al. 2021, https://arxiv.org/abs/2106.11959).

Shape suffixes: B rows, F features, K answers.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from lepton_lab.models.columns import READY_ROWS, Columns
from lepton_lab.specs import Problem, TableResnetOptions


class Block(nn.Module):
    """Norm, widening layer, ReLU, dropout and narrowing layer, with a way around all of them."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, rows_BF: Tensor) -> Tensor:
        """Rows (B, F) that the block has added to."""
        added_BF: Tensor = rows_BF + self.layers(rows_BF)
        return added_BF


class TableResnet(nn.Module):
    """Columns as one vector, residual blocks, then the answers.

    Args:
        problem: Rows of a table; category columns are embedded.
        options: Width, depth, dropout, and how columns are read.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 2e-3, "adam": 2e-3, "sgd": 0.05}
    """Peak learning rates that suit this network, by optimizer."""

    training_defaults: ClassVar[dict[str, Any]] = {"steps": 3500}
    """Options of training that suit this network, used where they are left open."""

    def __init__(self, problem: Problem, options: TableResnetOptions) -> None:
        super().__init__()
        self.columns = Columns(problem, options.embedding, options.steps)
        self.ready_rows = READY_ROWS
        self.entry = nn.Linear(self.columns.num_features, options.hidden)
        self.blocks = nn.Sequential(*[Block(options.hidden, options.dropout) for _ in range(options.blocks)])
        self.norm = nn.BatchNorm1d(options.hidden)
        self.head = nn.Linear(options.hidden, problem.num_outputs)

    def get_ready(self, rows: Tensor, labels: Tensor) -> None:
        """Looks at training rows (B, F) before the first step; see `Columns`."""
        self.columns.get_ready(rows)

    def forward(self, rows: Tensor) -> Tensor:
        """Answers (B, K) of rows (B, F)."""
        rows_BF = self.blocks(self.entry(self.columns(rows)))
        answers_BK: Tensor = self.head(self.norm(rows_BF).relu())
        return answers_BK

"""A multi-layer perceptron for tables; anything else is flattened.

Shape suffixes: B rows, F features, M members, H hidden features, K answers.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lepton_lab.models.columns import READY_ROWS, Columns
from lepton_lab.models.members import together
from lepton_lab.specs import MlpOptions, Problem

SPREAD = 0.5
"""How far the members' gates lie around 1 at the beginning."""


class Gates(nn.Module):
    """What each member sees of a row: every feature times a factor of its own."""

    def __init__(self, members: int, num_in: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(1 + SPREAD * torch.randn(members, num_in))

    def forward(self, seen_BF: Tensor) -> Tensor:
        """Rows (B, M, F) as the members see them."""
        return seen_BF[:, None] * self.weight

    def num_macs(self, shape: tuple[int, ...]) -> int:
        """Multiplications for a result of this shape."""
        return math.prod(shape)


class Heads(nn.Module):
    """A last layer for each member; in training all their answers, else one that they give together.

    Of classes it is the mean of their probabilities, of numbers the mean.
    """

    def __init__(self, members: int, num_in: int, num_out: int, *, of_classes: bool) -> None:
        super().__init__()
        self.of_classes = of_classes
        bound = 1 / math.sqrt(num_in)
        self.weight = nn.Parameter(torch.empty(members, num_in, num_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, num_out))

    def forward(self, hidden_BMH: Tensor) -> Tensor:
        """Answers (B, M, K) of each member in training, else (B, K)."""
        answers_BMK = (hidden_BMH.transpose(0, 1) @ self.weight).transpose(0, 1) + self.bias
        if self.training:
            return answers_BMK
        return together(answers_BMK, of_classes=self.of_classes)

    def num_macs(self, shape: tuple[int, ...]) -> int:
        """Multiplications for a result of this shape, whose rows come first."""
        return shape[0] * self.weight.numel()


class Mlp(nn.Module):
    """Hidden layers of linear map, layer norm, GELU and dropout, then the answers.

    For tables it is several networks in one: members share the hidden layers, each sees the row through gates of its
    own and has answers of its own, and their mean is said. In training each member answers for itself. (TabM-mini,
    Gorishniy et al. 2024, https://arxiv.org/abs/2410.24210.)

    Args:
        problem: Rows of any shape, which are flattened; category columns of a table are embedded.
        options: Width, depth, dropout, members, and how columns are read.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 3e-3, "adam": 3e-3, "sgd": 0.05}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: MlpOptions) -> None:
        super().__init__()
        is_table = problem.modality == "table"
        self.training_defaults: dict[str, Any] = {"steps": 3500, "ema": 0.998} if is_table else {}
        self.members = options.members if is_table else 1
        self.columns = Columns(problem, options.embedding, options.steps)
        self.ready_rows = READY_ROWS if self.columns.has_steps else 1
        num_in = self.columns.num_features
        if self.members > 1:
            self.gates = Gates(self.members, num_in)
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
        if self.members > 1:
            of_classes = problem.task == "classification"
            self.head: nn.Module = Heads(self.members, num_in, problem.num_outputs, of_classes=of_classes)
        else:
            self.head = nn.Linear(num_in, problem.num_outputs)

    def get_ready(self, rows: Tensor, labels: Tensor) -> None:
        """Looks at training rows (B, ...) before the first step; see `Columns`."""
        self.columns.get_ready(rows)

    def forward(self, rows: Tensor) -> Tensor:
        """Answers (B, K) of rows (B, ...); of several members in training those of each, (B, M, K)."""
        seen = self.columns(rows)
        if self.members > 1:
            seen = self.gates(seen)
        answers: Tensor = self.head(self.hidden(seen))
        return answers

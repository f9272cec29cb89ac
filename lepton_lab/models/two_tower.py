"""Two towers: a small network makes a vector of a user, another one of an item; they are compared by their product.

After Yi et al. 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations".

Shape suffixes: B rows, D width of a vector.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lepton_lab.specs import Problem, TwoTowerOptions


class Tower(nn.Module):
    """A number's vector through two layers, and a deviation of its own."""

    def __init__(self, num_values: int, options: TwoTowerOptions) -> None:
        super().__init__()
        self.embedding, self.shift = nn.Embedding(num_values, options.embedding), nn.Embedding(num_values, 1)
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.zeros_(self.shift.weight)
        self.layers = nn.Sequential(
            nn.Linear(options.embedding, options.hidden),
            nn.ReLU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.hidden, options.embedding),
        )

    def forward(self, numbers_B: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (B, D) and deviations (B,)."""
        return self.layers(self.embedding(numbers_B)), self.shift(numbers_B)[:, 0]


class TwoTower(nn.Module):
    """The product of a user's and an item's vector, the deviations of both, and the mean.

    Args:
        problem: Users and items by number.
        options: Widths and dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 2e-3, "adam": 2e-3, "sgd": 0.1}
    """Peak learning rates that suit this network, by optimizer."""

    training_defaults: ClassVar[dict[str, Any]] = {"batch_size": 1024, "weight_decay": 1.0, "epochs": 5}
    """Options of training that suit this network, used where they are left open."""

    def __init__(self, problem: Problem, options: TwoTowerOptions) -> None:
        super().__init__()
        self.user, self.item = Tower(problem.num_users, options), Tower(problem.num_items, options)
        self.mean = nn.Parameter(torch.zeros(()))

    def forward(self, pairs_B2: Tensor) -> Tensor:
        """Scores (B,) of pairs of user and item (B, 2) int64."""
        (users_BD, user_shift_B), (items_BD, item_shift_B) = self.user(pairs_B2[:, 0]), self.item(pairs_B2[:, 1])
        scores_B: Tensor = (users_BD * items_BD).sum(1) + user_shift_B + item_shift_B + self.mean
        return scores_B

"""Matrix factorisation: how well a user's vector fits an item's, beside what each is rated at anyway.

After Koren, Bell and Volinsky 2009, "Matrix Factorization Techniques for Recommender Systems".

Shape suffixes: B rows, D width of a vector.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from lepton_lab.specs import FactorisationOptions, Problem


class Factorisation(nn.Module):
    """The mean, a user's and an item's deviation from it, and the product of their vectors.

    Args:
        problem: Users and items by number.
        options: Width of the vectors, and the share of them left out at random.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 5e-3, "adam": 5e-3, "sgd": 1.0}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: FactorisationOptions) -> None:
        super().__init__()
        self.users = nn.Embedding(problem.num_users, options.factors)
        self.items = nn.Embedding(problem.num_items, options.factors)
        self.user_shift, self.item_shift = nn.Embedding(problem.num_users, 1), nn.Embedding(problem.num_items, 1)
        self.mean = nn.Parameter(torch.zeros(()))
        self.dropout = nn.Dropout(options.dropout)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1 / options.factors**0.5)
        for table in (self.user_shift, self.item_shift):
            nn.init.zeros_(table.weight)

    def forward(self, pairs_B2: Tensor) -> Tensor:
        """Scores (B,) of pairs of user and item (B, 2) int64."""
        users_B, items_B = pairs_B2[:, 0], pairs_B2[:, 1]
        fit_B = (self.dropout(self.users(users_B)) * self.items(items_B)).sum(1)
        scores_B: Tensor = fit_B + self.user_shift(users_B)[:, 0] + self.item_shift(items_B)[:, 0] + self.mean
        return scores_B

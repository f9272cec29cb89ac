"""Matrix factorisation: how well a user's vector fits an item's, beside what each is rated at anyway.

After Koren, Bell and Volinsky 2009, "Matrix Factorization Techniques for Recommender Systems".

Shape suffixes: B rows, D width of a vector.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lepton_lab.specs import FactorisationOptions, Problem

READY_ROUNDS = 5
"""Users and items are fitted in turn so many times."""


class Factorisation(nn.Module):
    """The mean, a user's and an item's deviation from it, and the product of their vectors.

    Args:
        problem: Users and items by number.
        options: Width of the vectors, and the share of them left out at random.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 2e-3, "adam": 2e-3, "sgd": 1.0}
    """Peak learning rates that suit this network, by optimizer."""

    training_defaults: ClassVar[dict[str, Any]] = {"batch_size": 1024, "weight_decay": 3.0, "epochs": 10}
    """Options of training that suit this network, used where they are left open."""

    user_trust: Tensor
    item_trust: Tensor

    def __init__(self, problem: Problem, options: FactorisationOptions) -> None:
        super().__init__()
        self.trust, self.is_rated = options.trust, problem.task == "rating"
        self.users = nn.Embedding(problem.num_users, options.factors)
        self.items = nn.Embedding(problem.num_items, options.factors)
        self.user_shift = nn.Parameter(torch.zeros(problem.num_users))
        self.item_shift = nn.Parameter(torch.zeros(problem.num_items))
        self.mean = nn.Parameter(torch.zeros(()))
        self.dropout = nn.Dropout(options.dropout)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1 / options.factors**0.5)

        self.register_buffer("user_trust", torch.ones(problem.num_users))
        self.register_buffer("item_trust", torch.ones(problem.num_items))

    @torch.no_grad()
    def get_ready(self, pairs_N2: Tensor, ratings_N: Tensor) -> None:
        """Sets how far each user and item is believed, and what they are rated at before any training.

        Somebody with n ratings is believed by n / (n + trust): whoever is unknown gets the mean, whoever has rated
        little hardly moves from it.

        Args:
            pairs_N2: All training pairs.
            ratings_N: Their scaled ratings (of ratings; of likings they are not looked at).
        """
        users_N, items_N = pairs_N2[:, 0], pairs_N2[:, 1]
        sides = ((users_N, self.user_trust, self.user_shift), (items_N, self.item_trust, self.item_shift))
        counts = [torch.bincount(numbers, minlength=len(trust)).float() for numbers, trust, _ in sides]
        for count, (_, trust, _) in zip(counts, sides, strict=True):
            trust.copy_(count / (count + self.trust))
        if not self.is_rated:
            return
        for _ in range(READY_ROUNDS):
            for count, (numbers, trust, shift) in reversed(list(zip(counts, sides, strict=True))):
                shift.zero_()
                left_N = ratings_N - self._shifts(users_N, items_N)
                total = torch.zeros_like(trust).index_add_(0, numbers, left_N)
                shift[:] = total / count.clamp(min=1)

    def forward(self, pairs_B2: Tensor) -> Tensor:
        """Scores (B,) of pairs of user and item (B, 2) int64."""
        users_B, items_B = pairs_B2[:, 0], pairs_B2[:, 1]
        fit_B = (self.dropout(self.users(users_B)) * self.items(items_B)).sum(1)
        believed_B = self.user_trust[users_B] * self.item_trust[items_B]
        scores_B: Tensor = fit_B * believed_B + self._shifts(users_B, items_B) + self.mean
        return scores_B

    def _shifts(self, users_B: Tensor, items_B: Tensor) -> Tensor:
        """Both deviations from the mean, as far as they are believed."""
        user_B = self.user_shift[users_B] * self.user_trust[users_B]
        return user_B + self.item_shift[items_B] * self.item_trust[items_B]

"""A recurrent language model: after each token, how likely each token of the vocabulary comes next.

Shape suffixes: B rows, T tokens, F features, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from lepton_lab.errors import ModelError
from lepton_lab.models.rnn import CELLS
from lepton_lab.specs import LanguageOptions, Problem

FIRST_TOKEN = 2
"""Tokens below it are padding and unknown; neither is ever generated."""


class Language(nn.Module):
    """Embedded tokens, LSTM or GRU layers that read forward, and a score for each token that may follow.

    Args:
        problem: Windows of T tokens of a vocabulary of V.
        options: Cell, widths, depth and dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 4e-3, "adam": 4e-3, "sgd": 1.0}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: LanguageOptions) -> None:
        super().__init__()
        self.vocabulary = problem.vocabulary
        self.embedding = nn.Embedding(problem.vocabulary, options.embedding)
        self.cells = CELLS[options.cell](
            options.embedding,
            options.hidden,
            options.layers,
            batch_first=True,
            dropout=options.dropout if options.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(options.hidden, problem.vocabulary)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Scores (B, T, V), not normalised, of the token that follows each of the tokens (B, T) int64."""
        said_BTF, _ = self.cells(self.embedding(tokens_BT))
        scores_BTV: Tensor = self.head(self.dropout(said_BTF))
        return scores_BTV

    @torch.no_grad()
    def generate(
        self,
        prompt: Sequence[int],
        num_tokens: int,
        *,
        temperature: float = 0.8,
        top_k: int | None = None,
        seed: int = 0,
    ) -> list[int]:
        """Goes on with a text, token by token.

        Args:
            prompt: Tokens to go on from, at least one.
            num_tokens: How many to add.
            temperature: 1 draws as often as the network says; below it keeps closer to the likeliest; 0 always
                takes the likeliest.
            top_k: Draw only among so many likeliest tokens.
            seed: Seed of the draws; the global random state is not touched.

        Returns:
            The new tokens, without the prompt.

        Raises:
            ModelError: The prompt is empty, or an argument is out of its bounds.
        """
        if not len(prompt):
            raise ModelError("generate needs at least one token to go on from; the prompt is empty.")
        if temperature < 0 or num_tokens < 0 or (top_k is not None and top_k < 1):
            raise ModelError(
                f"generate was given num_tokens={num_tokens}, temperature={temperature:g}, top_k={top_k}; expected "
                "num_tokens and temperature of at least 0, and top_k of at least 1 or none."
            )
        was_training = self.training
        self.eval()
        device = self.embedding.weight.device
        generator = torch.Generator().manual_seed(seed)
        new: list[int] = []
        unread, state = torch.tensor([list(prompt)], device=device), None
        for _ in range(num_tokens):
            said_BTF, state = self.cells(self.embedding(unread), state)
            new.append(_draw(self.head(said_BTF[0, -1]).float().cpu(), temperature, top_k, generator))
            unread = torch.tensor([[new[-1]]], device=device)
        self.train(was_training)
        return new


def _draw(scores_V: Tensor, temperature: float, top_k: int | None, generator: torch.Generator) -> int:
    """One token after its scores."""
    scores_V = scores_V.clone()
    scores_V[: min(FIRST_TOKEN, len(scores_V) - 1)] = -torch.inf
    if temperature == 0:
        return int(scores_V.argmax())
    if top_k is not None and top_k < len(scores_V):
        scores_V[scores_V < scores_V.topk(top_k).values[-1]] = -torch.inf
    shares_V = (scores_V / temperature).softmax(0)
    return int(torch.multinomial(shares_V, 1, generator=generator))

"""How networks read rows of different kinds: everything with an order as steps, every table as one vector.

Shape suffixes: B rows, T steps, F features, C channels, H height, W width, N numeric columns, K category columns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lepton_lab.specs import Problem


class Steps(nn.Module):
    """Rows as steps (B, T, F): tokens are embedded, pictures read row by row, sounds frame by frame.

    Args:
        problem: What a row is.
        embedding: Width of a token's vector.
        dropout: Share of features of the steps left out at random; of tokens' vectors only.
    """

    def __init__(self, problem: Problem, embedding: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.modality = problem.modality
        shape = problem.input_shape
        if problem.vocabulary:
            self.embedding = nn.Embedding(problem.vocabulary, embedding, padding_idx=0)
            self.dropout = nn.Dropout(dropout)
            self.num_features, self.num_steps = embedding, shape[0]
        elif self.modality == "image":
            self.num_features, self.num_steps = shape[0] * shape[2], shape[1]
        elif self.modality == "audio":
            self.num_features, self.num_steps = shape[0] * shape[1], shape[2]
        else:
            self.num_features, self.num_steps = shape[1], shape[0]

    def forward(self, inputs: Tensor) -> Tensor:
        """Steps (B, T, F) of rows in the form that their modality has."""
        if hasattr(self, "embedding"):
            embedded_BTF: Tensor = self.dropout(self.embedding(inputs))
            return embedded_BTF
        if self.modality == "image":
            return inputs.permute(0, 2, 1, 3).flatten(2)
        if self.modality == "audio":
            return inputs.permute(0, 3, 1, 2).flatten(2)
        return inputs


TEXT_STEPS = 2_500
"""Updates in which a network learns a few thousand texts, before it learns them by heart."""

DROPOUT = {"text": 0.5, "other": 0.1}
"""Words tell more of a row than single moments of a signal do, so a network learns them by heart sooner."""


def dropout_of(problem: Problem, asked: float | None) -> float:
    """The share of features to leave out, where a person has asked for none in particular."""
    if asked is not None:
        return asked
    return DROPOUT["text" if problem.modality == "text" else "other"]


def valid(steps_BTF: Tensor, lengths_B: Tensor) -> Tensor:
    """Which steps belong to a row, bool (B, T); an empty row keeps its first."""
    places_T = torch.arange(steps_BTF.shape[1], device=steps_BTF.device)
    return places_T < lengths_B.clamp(min=1)[:, None]


def pool(steps_BTF: Tensor, inside_BT: Tensor | None) -> Tensor:
    """Mean and maximum over the steps of each row, (B, 2 F), whatever it is padded with."""
    if inside_BT is None:
        return torch.cat([steps_BTF.mean(1), steps_BTF.amax(1)], dim=1)
    inside_BT1 = inside_BT[:, :, None]
    total_BF = torch.where(inside_BT1, steps_BTF, 0.0).sum(1)
    mean_BF = total_BF / inside_BT1.sum(1).to(total_BF.dtype)
    return torch.cat([mean_BF, torch.where(inside_BT1, steps_BTF, -torch.inf).amax(1)], dim=1)


class Columns(nn.Module):
    """A table's row as one vector: numbers as waves of several lengths, categories embedded.

    A number x becomes the sines and cosines of c x for a few learnt c, mixed by a layer of its own column
    (Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556): without it a network is slow to learn steps and bumps.

    Args:
        problem: Numeric columns first, then `cardinalities` columns of whole numbers.
        embedding: Width of a category's vector.
        num_waves: Waves of each number; 0 passes numbers as they are.
        wave_width: Width of a number's vector after mixing.
        wave_scale: Spread of the c at the beginning.
    """

    firsts: Tensor

    def __init__(
        self, problem: Problem, embedding: int, num_waves: int, *, wave_width: int = 8, wave_scale: float = 0.3
    ) -> None:
        super().__init__()
        cardinalities = problem.cardinalities
        self.num_categories = len(cardinalities)
        self.num_numbers = math.prod(problem.input_shape) - self.num_categories
        self.num_features = self.num_numbers
        self.has_waves = num_waves > 0 and self.num_numbers > 0 and problem.modality == "table"
        if self.has_waves:
            self.waves = nn.Parameter(torch.randn(self.num_numbers, num_waves) * wave_scale)
            bound = 1 / math.sqrt(2 * num_waves + 1)
            self.mixing = nn.Parameter(torch.empty(self.num_numbers, 2 * num_waves + 1, wave_width))
            nn.init.uniform_(self.mixing, -bound, bound)
            self.shift = nn.Parameter(torch.zeros(self.num_numbers, wave_width))
            self.num_features = self.num_numbers * (wave_width + 1)
        if cardinalities:
            self.embedding = nn.Embedding(sum(cardinalities), embedding)
            nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(embedding))
            firsts = torch.tensor([0, *cardinalities]).cumsum(0)[:-1]
            self.register_buffer("firsts", firsts, persistent=False)
            self.num_features += embedding * len(cardinalities)

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors (B, num_features) of rows (B, ...); more than one dimension is flattened."""
        rows_BF = rows.flatten(1)
        numbers_BN = rows_BF[:, : self.num_numbers]
        parts = [numbers_BN]
        if self.has_waves:
            parts.append(self._waves(numbers_BN))
        if self.num_categories:
            places_BK = rows_BF[:, self.num_numbers :].long() + self.firsts
            parts.append(self.embedding(places_BK).flatten(1))
        return torch.cat(parts, dim=1) if len(parts) > 1 else numbers_BN

    def _waves(self, numbers_BN: Tensor) -> Tensor:
        angles = 2 * math.pi * self.waves * numbers_BN[:, :, None]
        seen = torch.cat([angles.sin(), angles.cos(), numbers_BN[:, :, None]], dim=2)
        mixed = torch.einsum("bnw,nwf->bnf", seen, self.mixing) + self.shift
        return mixed.relu().flatten(1)

"""How networks read a table: its row as one vector.

Shape suffixes: B rows, F features, N columns of numbers, S steps of a number, W width of a number's vector, K category
columns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lepton_lab.specs import Problem

READY_ROWS = 100_000
"""Rows that the steps of numbers are laid by."""

WIDTH = 8

NARROWEST = 1e-6
"""A step between two numbers that are closer is that wide, so that no rate is infinite."""


class Columns(nn.Module):
    """A table's row as one vector: numbers beside what they are on a scale of steps, categories embedded.

    A number becomes S parts, one for each stretch between two quantiles of its column: 0 below the stretch, 1 above,
    the share of the way within. A layer of the column's own mixes them. (Piecewise linear encoding, Gorishniy et al.
    2022, https://arxiv.org/abs/2203.05556: without it a network is slow to learn jumps, and a few large numbers hide
    what lies between the others.) Where one value fills several quantiles, the steps that are left over go to the
    other values, however rare each one is.

    Args:
        problem: Numeric columns first, then `cardinalities` columns of whole numbers. `extra["numbers"]` says which of
            the numeric ones are measured, not made from a category; without it all are.
        embedding: Width of a category's vector.
        num_steps: Steps of each number; 0 passes numbers as they are.
    """

    firsts: Tensor
    places: Tensor
    lows: Tensor
    rates: Tensor

    def __init__(self, problem: Problem, embedding: int, num_steps: int) -> None:
        super().__init__()
        cardinalities = problem.cardinalities
        self.num_categories = len(cardinalities)
        self.num_numbers = math.prod(problem.input_shape) - self.num_categories
        self.num_features = self.num_numbers
        places = [int(place) for place in problem.extra.get("numbers", range(self.num_numbers))]
        self.has_steps = num_steps > 0 and bool(places) and problem.modality == "table"
        if self.has_steps:
            self.register_buffer("places", torch.tensor(places), persistent=False)
            ends = torch.linspace(-2.0, 2.0, num_steps + 1).expand(len(places), -1)
            self.register_buffer("lows", ends[:, :-1].clone())
            self.register_buffer("rates", 1 / ends.diff(dim=1))
            bound = 1 / math.sqrt(num_steps)
            self.mixing = nn.Parameter(torch.empty(len(places), num_steps, WIDTH).uniform_(-bound, bound))
            self.shift = nn.Parameter(torch.zeros(len(places), WIDTH))
            self.num_features += len(places) * WIDTH
        if cardinalities:
            self.embedding = nn.Embedding(sum(cardinalities), embedding)
            nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(embedding))
            firsts = torch.tensor([0, *cardinalities]).cumsum(0)[:-1]
            self.register_buffer("firsts", firsts, persistent=False)
            self.num_features += embedding * len(cardinalities)

    @torch.no_grad()
    def get_ready(self, rows: Tensor) -> None:
        """Lays the steps of each number by training rows (B, ...)."""
        if not self.has_steps:
            return
        numbers_BN = rows.flatten(1).index_select(1, self.places)
        for column, (lows_S, rates_S) in enumerate(zip(self.lows, self.rates, strict=True)):
            ends = steps_of(numbers_BN[:, column], len(lows_S))
            count = len(ends) - 1
            lows_S.zero_()
            rates_S.zero_()
            lows_S[:count], rates_S[:count] = ends[:-1], 1 / ends.diff().clamp(min=NARROWEST)

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors (B, num_features) of rows (B, ...); more than one dimension is flattened."""
        rows_BF = rows.flatten(1)
        numbers_BN = rows_BF[:, : self.num_numbers]
        parts = [numbers_BN]
        if self.has_steps:
            parts.append(self._steps(numbers_BN.index_select(1, self.places)))
        if self.num_categories:
            places_BK = rows_BF[:, self.num_numbers :].long() + self.firsts
            parts.append(self.embedding(places_BK).flatten(1))
        return torch.cat(parts, dim=1) if len(parts) > 1 else numbers_BN

    def _steps(self, numbers_BN: Tensor) -> Tensor:
        """What is known of each number from its steps, (B, N W)."""
        passed_BNS = ((numbers_BN[:, :, None] - self.lows) * self.rates).clamp(0, 1)
        mixed_BNW = torch.einsum("bns,nsw->bnw", passed_BNS, self.mixing) + self.shift
        return mixed_BNW.relu().flatten(1)


def steps_of(numbers: Tensor, most: int) -> Tensor:
    """Ends of at most `most` steps of a column (B,), rising: its values where they are few, else quantiles."""
    values: Tensor = torch.unique(numbers)
    if len(values) <= most + 1:
        return values
    ends: Tensor = torch.unique(numbers.quantile(torch.linspace(0, 1, most + 1, device=numbers.device)))
    num_missing = most + 1 - len(ends)
    between = torch.linspace(0, 1, num_missing + 2, device=numbers.device)[1:-1]
    laid: Tensor = torch.unique(torch.cat([ends, values.quantile(between)]))
    return laid

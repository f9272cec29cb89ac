"""A small Transformer encoder for text, sequences and sounds; a picture is read row by row.

Shape suffixes: B rows, T steps, D width, A heads, K answers.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from lepton_lab.models.reading import Steps, pool, valid
from lepton_lab.specs import Problem, TransformerOptions


class Attention(nn.Module):
    """Each step asks all steps of its row (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

    def forward(self, asked: Tensor, keys: Tensor, values: Tensor, inside_B11T: Tensor | None) -> Tensor:
        """What is found for each step, (B, A, T, D / A), all arguments of that shape."""
        return scaled_dot_product_attention(asked, keys, values, attn_mask=inside_B11T)

    def num_macs(self, shape: tuple[int, ...]) -> int:
        """Multiplications for a result of this shape."""
        return 2 * math.prod(shape) * shape[-2]


class Layer(nn.Module):
    """Attention and a small network of two layers, each behind a norm and with a way around it."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asking = nn.Linear(width, 3 * width)
        self.attention = Attention()
        self.answering = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, steps_BTD: Tensor, inside_B11T: Tensor | None) -> Tensor:
        """Steps (B, T, D) that know of each other."""
        asked = self.asking(self.before_attention(steps_BTD)).unflatten(2, (3, self.heads, -1))
        found = self.attention(*asked.permute(2, 0, 3, 1, 4).unbind(0), inside_B11T)
        steps_BTD = steps_BTD + self.dropout(self.answering(found.transpose(1, 2).flatten(2)))
        result_BTD: Tensor = steps_BTD + self.dropout(self.mlp(self.before_mlp(steps_BTD)))
        return result_BTD


class Transformer(nn.Module):
    """Steps with their places, layers of attention, then the mean and the maximum over time.

    Args:
        problem: Rows with an order (see `reading.Steps`) and K answers each.
        options: Width, depth, heads and dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 1e-3, "adam": 1e-3, "sgd": 0.05}
    """Peak learning rates that suit this network, by optimizer."""

    training_defaults: ClassVar[dict[str, float]] = {"clip_norm": 1.0}
    """Options of training that suit this network, used where they are left open."""

    def __init__(self, problem: Problem, options: TransformerOptions) -> None:
        super().__init__()
        width = options.heads * max(2, 2 * (options.width // options.heads // 2))
        self.width = width
        self.steps = Steps(problem, width, options.dropout)
        self.entry = nn.Identity() if problem.vocabulary else nn.Linear(self.steps.num_features, width)
        if problem.vocabulary:
            nn.init.normal_(self.steps.embedding.weight, std=0.3)
        self.layers = nn.ModuleList(Layer(width, options.heads, options.dropout) for _ in range(options.layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(2 * width, problem.num_outputs)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Answers (B, K) of rows (B, T, ...), of which only the first `lengths` (B,) steps count."""
        steps_BTD = self.entry(self.steps(inputs))
        steps_BTD = steps_BTD + self._places(steps_BTD)
        inside_BT = None if lengths is None else valid(steps_BTD, lengths)
        inside_B11T = None if inside_BT is None else inside_BT[:, None, None, :]
        for layer in self.layers:
            steps_BTD = layer(steps_BTD, inside_B11T)
        answers_BK: Tensor = self.head(self.dropout(pool(self.norm(steps_BTD), inside_BT)))
        return answers_BK

    def _places(self, steps_BTD: Tensor) -> Tensor:
        """Waves (T, D) that tell a step's place, of any number of steps."""
        half = self.width // 2
        device = steps_BTD.device
        rates = torch.exp(torch.arange(half, device=device) * (-math.log(10_000.0) / half))
        angles = torch.arange(steps_BTD.shape[1], device=device)[:, None] * rates
        return 0.3 * torch.cat([angles.sin(), angles.cos()], dim=1).to(steps_BTD.dtype)

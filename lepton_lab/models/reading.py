"""How networks read rows with an order: as steps.

Shape suffixes: B rows, T steps, F features, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from lepton_lab.specs import Problem

GROUPS_LEFT_OUT = 0.5
"""Share of a word's groups of letters that training leaves out at random: rare ones tell single rows apart, which a
network would learn by heart."""


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
            if problem.letter_groups:
                self.letters = nn.Embedding(problem.letter_groups, embedding, padding_idx=0)
                nn.init.zeros_(self.letters.weight)  # a group that training never saw says nothing
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
            embedded_BTF: Tensor = self.dropout(self._words(inputs))
            return embedded_BTF
        if self.modality == "image":
            return inputs.permute(0, 2, 1, 3).flatten(2)
        if self.modality == "audio":
            return inputs.permute(0, 3, 1, 2).flatten(2)
        return inputs

    def _words(self, inputs: Tensor) -> Tensor:
        """A vector for each token; where words are looked into, what the letters in them say is added."""
        if not hasattr(self, "letters"):
            words_BTF: Tensor = self.embedding(inputs)
            return words_BTF
        groups_BTG = inputs[:, :, 1:]
        if self.training:
            groups_BTG = groups_BTG * (torch.rand(groups_BTG.shape, device=inputs.device) >= GROUPS_LEFT_OUT)
        num_BT1 = (groups_BTG > 0).sum(2, keepdim=True).clamp(min=1).to(self.letters.weight.dtype)
        looked_BTF: Tensor = self.embedding(inputs[:, :, 0]) + self._sum_of_groups(groups_BTG) * num_BT1.rsqrt()
        return looked_BTF

    def _sum_of_groups(self, groups_BTG: Tensor) -> Tensor:
        """Sum (B, T, F) of the vectors of each word's groups."""
        if not self.training:
            sums_BTF: Tensor = self.letters(groups_BTG).sum(2)  # what ONNX has operators for
            return sums_BTF
        # In one go: no vector of each single group is kept for the gradient, which takes a third of the time.
        sums_NF = embedding_bag(groups_BTG.flatten(0, 1), self.letters.weight, mode="sum", padding_idx=0)
        return sums_NF.view(*groups_BTG.shape[:2], -1)


TEXT_STEPS = 2_500
"""Updates in which a network learns a few thousand texts, before it learns them by heart."""

DROPOUT = {"text": 0.2, "other": 0.1}
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

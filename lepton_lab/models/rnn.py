"""A recurrent network for sequences, text and sounds; a picture is read row by row.

Shape suffixes: B rows, T steps of the sequence, F features, K answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lepton_lab.models.members import together
from lepton_lab.models.reading import TEXT_STEPS, Steps, dropout_of, pool, valid
from lepton_lab.specs import Problem, RnnOptions

Cell = Callable[..., nn.RNNBase]

CELLS: dict[str, Cell] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Rnn(nn.Module):
    """LSTM or GRU layers; the maximum and the mean over time of what they say go to the last layer.

    Where words are looked into, it is two networks in one: a second one answers from the words' vectors alone, in
    whatever order, and their mean is said. In training each answers for itself.

    Args:
        problem: Rows with an order (see `reading.Steps`) and K answers each.
        options: Cell, width, depth, directions and dropout.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 5e-3, "adam": 5e-3, "sgd": 0.3}
    """Peak learning rates that suit this network, by optimizer."""

    def __init__(self, problem: Problem, options: RnnOptions) -> None:
        super().__init__()
        dropout = dropout_of(problem, options.dropout)
        self.training_defaults: dict[str, Any] = {"clip_norm": 1.0}
        if problem.modality == "text":
            self.training_defaults["steps"] = TEXT_STEPS
        self.steps = Steps(problem, options.embedding, dropout)
        width = options.hidden * (2 if options.bidirectional else 1)
        sizes = (self.steps.num_features, options.hidden, options.layers)
        between = dropout if options.layers > 1 else 0.0
        if problem.has_lengths and options.bidirectional:
            self.cells: nn.Module = BothWays(CELLS[options.cell], *sizes, between)
        else:
            self.cells = CELLS[options.cell](
                *sizes, batch_first=True, bidirectional=options.bidirectional, dropout=between
            )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, problem.num_outputs)
        self.members, self.of_classes = 2 if problem.letter_groups else 1, problem.task == "classification"
        if self.members > 1:
            self.head_of_words = nn.Linear(2 * options.embedding, problem.num_outputs)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Answers (B, K) of rows (B, T, ...), of which only the first `lengths` (B,) steps count.

        Of two members in training those of each, (B, 2, K).
        """
        steps_BTF = self.steps(inputs)
        inside_BT = None if lengths is None else valid(steps_BTF, lengths)
        if lengths is not None and isinstance(self.cells, BothWays):
            said_BTF = self.cells(steps_BTF, lengths.clamp(min=1))
        else:
            said_BTF, _ = self.cells(steps_BTF)
        answers_BK: Tensor = self.head(self.dropout(pool(said_BTF, inside_BT)))
        if self.members == 1:
            return answers_BK
        words_BK: Tensor = self.head_of_words(self.dropout(pool(steps_BTF, inside_BT)))
        both_BMK = torch.stack([answers_BK, words_BK], dim=1)
        return both_BMK if self.training else together(both_BMK, of_classes=self.of_classes)


class BothWays(nn.Module):
    """Recurrent layers that read rows of different lengths in both directions.

    What `nn.LSTM(bidirectional=True)` computes of packed rows, without packing: a row is turned round by its own
    length, read forward, and turned back. Each layer is two plain LSTMs or GRUs, which ONNX has as one operator.

    Args:
        cell: `nn.LSTM` or `nn.GRU`.
        num_features: Width of a step.
        hidden: Width of the hidden state of one direction.
        num_layers: Layers on top of each other.
        dropout: Share of features left out at random between them.
    """

    def __init__(self, cell: Cell, num_features: int, hidden: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        widths = [num_features, *[2 * hidden] * (num_layers - 1)]
        self.forwards = nn.ModuleList(cell(width, hidden, batch_first=True) for width in widths)
        self.backwards = nn.ModuleList(cell(width, hidden, batch_first=True) for width in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, steps_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """What both directions say at each step, (B, T, 2 hidden); steps behind a row's end mean nothing."""
        places_T = torch.arange(steps_BTF.shape[1], device=steps_BTF.device)
        turned_BT = lengths_B[:, None] - 1 - places_T
        turned_BT = torch.where(turned_BT < 0, places_T, turned_BT)
        for layer, (ahead, back) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            if layer:
                steps_BTF = self.dropout(steps_BTF)
            said_ahead, _ = ahead(steps_BTF)
            said_back, _ = back(_at(steps_BTF, turned_BT))
            steps_BTF = torch.cat([said_ahead, _at(said_back, turned_BT)], dim=2)
        return steps_BTF


def _at(steps_BTF: Tensor, places_BT: Tensor) -> Tensor:
    """The steps of each row in another order."""
    return steps_BTF.gather(1, places_BT[:, :, None].expand(-1, -1, steps_BTF.shape[2]))

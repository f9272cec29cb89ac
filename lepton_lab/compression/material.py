"""What fine-tuning learns from: the training rows, their labels, and what the original network answers to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from lepton_lab.training.resident import Rows, place
from lepton_lab.training.validation import evaluating

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

ROWS_PER_PASS = 512
TEMPERATURE = 2.0
"""Softens the original's answers, so that a student also sees which wrong classes are near (Hinton et al. 2015,
"Distilling the knowledge in a neural network", https://arxiv.org/abs/1503.02531)."""


@dataclass(frozen=True)
class Material:
    """Rows with two kinds of answers.

    Attributes:
        rows: The training part, ready for a network.
        answers: What the original network returned for each row (N, ...), before any softmax.
        task: A name of `specs.TASKS`.
    """

    rows: Rows
    answers: torch.Tensor
    task: str

    @classmethod
    def of(cls, original: nn.Module, dataset: PreparedDataset) -> Material:
        """The training rows of a dataset, answered once by the original network."""
        rows = place(dataset.splits["train"], dataset.preparation, dataset.input_shape, torch.device("cpu"))
        answers = []
        with evaluating(original):
            for start in range(0, len(rows), ROWS_PER_PASS):
                inputs, _ = rows.span(start, min(start + ROWS_PER_PASS, len(rows)))
                answers.append(original(inputs).float())
        return cls(rows, torch.cat(answers).clone(), dataset.task)

    def __len__(self) -> int:
        return len(self.rows)

    def loss(self, network: nn.Module, index: torch.Tensor) -> torch.Tensor:
        """How far a network is from the labels and from the original's answers, on some rows.

        Args:
            network: What is being tuned.
            index: Row numbers (B,), int64.
        """
        inputs, labels = self.rows.batch(index)
        outputs, wanted = network(inputs), self.answers.index_select(0, index)
        if self.task != "classification":
            return F.mse_loss(outputs, wanted)
        soft = F.kl_div(
            F.log_softmax(outputs / TEMPERATURE, 1), F.log_softmax(wanted / TEMPERATURE, 1), log_target=True,
            reduction="batchmean",
        )  # fmt: skip
        return 0.5 * F.cross_entropy(outputs, labels) + 0.5 * TEMPERATURE**2 * soft

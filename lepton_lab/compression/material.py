"""What fine-tuning learns from: the training rows, their labels, and what the original network answers to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lepton_lab.training.objective import Objective, objective_for, rows_per_pass
from lepton_lab.training.resident import Rows, place
from lepton_lab.training.validation import evaluating

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

TEMPERATURE = 2.0
"""Softens the original's answers, so that a student also sees which wrong classes are near (Hinton et al. 2015,
"Distilling the knowledge in a neural network", https://arxiv.org/abs/1503.02531)."""


UNTAUGHT = ("language", "ranking", "detection")
"""Tasks whose networks learn from labels alone: one answer a token would not fit into the memory, and the losses of
pairs and of boxes are made of more than a row's answer."""


@dataclass(frozen=True)
class Material:
    """Rows with two kinds of answers.

    Attributes:
        rows: The training part, ready for a network.
        answers: What the original network returned for each row (N, ...), before any softmax.
        objective: The task's own loss.
        taught: Whether the original's answers are learnt from, too.
        in_bfloat16: Whether steps are computed in bfloat16, which some processors do twice as fast.
    """

    rows: Rows
    answers: Tensor
    objective: Objective
    taught: bool = True
    in_bfloat16: bool = False

    @classmethod
    def of(cls, original: nn.Module, dataset: PreparedDataset, *, in_bfloat16: bool = False) -> Material:
        """The training rows of a dataset, answered once by the original network."""
        rows = place(dataset, "train", torch.device("cpu"))
        objective = objective_for(dataset.problem, dataset.target)
        if dataset.task in UNTAUGHT:
            return cls(rows, torch.empty(0), objective, False, in_bfloat16)
        order, answers = [], []
        with evaluating(original):
            for index, batch in rows.passes(rows_per_pass(dataset.problem, rows.device)):
                order.append(index)
                answers.append(original(*batch.inputs).float())
        gathered = torch.cat(answers)
        sorted_answers = torch.empty_like(gathered)
        sorted_answers[torch.cat(order)] = gathered
        return cls(rows, sorted_answers, objective, True, in_bfloat16)

    def without_teacher(self) -> Material:
        """The same rows, to be learnt from their labels alone."""
        return replace(self, taught=False)

    def __len__(self) -> int:
        return len(self.rows)

    def loss(self, network: nn.Module, index: Tensor) -> Tensor:
        """How far a network is from the labels and from the original's answers, on some rows.

        Args:
            network: What is being tuned.
            index: Row numbers (B,), int64.
        """
        batch = self.rows.batch(index)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.in_bfloat16):
            loss, outputs = self.objective.of_step(network, batch)
        if outputs is None or not self.taught:
            return loss
        return 0.5 * loss + 0.5 * self._distance(outputs, self.answers.index_select(0, index))

    def _distance(self, outputs: Tensor, wanted: Tensor) -> Tensor:
        """How far outputs are from the original's, as the task sees it."""
        task = self.objective.problem.task
        if task == "multilabel":
            return F.binary_cross_entropy_with_logits(outputs, wanted.sigmoid())
        if task not in ("classification", "language"):
            return F.mse_loss(outputs, wanted)
        soft = F.log_softmax(outputs.flatten(0, -2) / TEMPERATURE, 1)
        taught = F.log_softmax(wanted.flatten(0, -2) / TEMPERATURE, 1)
        return TEMPERATURE**2 * F.kl_div(soft, taught, log_target=True, reduction="batchmean")

"""How far a network can be pruned: further and further, until the validation rows say that it hurts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from lepton_lab.compression.pruning import Pruning
from lepton_lab.compression.record import points_lost
from lepton_lab.specs import TASKS
from lepton_lab.training.objective import objective_for
from lepton_lab.training.resident import place
from lepton_lab.training.validation import score

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

STAGES = (0.4, 0.55, 0.7, 0.8, 0.87, 0.92, 0.95)
"""Shares of zeros that are tried, one after the other."""
UNJUDGED = 0.7
"""The share where there are no validation rows."""
ROOM = 0.5
"""Pruning may take so much of the loss that is allowed; what comes after it loses something, too."""
STAGE_EPOCHS = 0.5
"""What a stage takes of the epochs of a fine-tuning."""
Tuned = Callable[[nn.Module, Pruning, float, Callable[[float], None]], nn.Module]


def prune_to_the_limit(
    network: nn.Module,
    dataset: PreparedDataset,
    tuned: Tuned,
    max_points: float,
    progress: Callable[[float], None],
) -> nn.Module:
    """Prunes stage by stage and keeps the last one that loses no more than half of what is allowed.

    Args:
        network: What is pruned; it is changed.
        dataset: Its validation part judges.
        tuned: Fine-tunes a network under a pruning, for so many times the epochs of a fine-tuning.
        max_points: The loss that is allowed, as `points_lost` counts.
        progress: Told which share of the stages is done.

    Returns:
        The pruned network; the first stage's where even that loses more.
    """
    if not len(dataset.splits["validation"]):
        return tuned(network, Pruning(network, UNJUDGED), 1.0, progress)
    figure = _figure(dataset)
    original, kept, reached = figure(network), network, 0.0
    higher_is_better = TASKS[dataset.task].higher_is_better
    for number, share in enumerate(STAGES):

        def said(done: float, number: int = number) -> None:
            progress((number + done) / len(STAGES))

        tried = copy.deepcopy(kept)
        tried = tuned(tried, Pruning(tried, share, begun_at=reached), STAGE_EPOCHS, said)
        lost = points_lost(original, figure(tried), higher_is_better=higher_is_better)
        if lost > ROOM * max_points:
            return kept if reached else tried
        kept, reached = tried, share
    return kept


def _figure(dataset: PreparedDataset) -> Callable[[nn.Module], float]:
    rows = place(dataset, "validation", torch.device("cpu"))
    objective = objective_for(dataset.problem, dataset.target)
    return lambda network: float(score(network, rows, objective, keep=False).metric)

"""The report of a trained network: what `report.json` holds and every face shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lepton_lab.errors import DataError
from lepton_lab.evaluation import classes, numbers, others
from lepton_lab.evaluation.written import written
from lepton_lab.specs.tasks import TASKS
from lepton_lab.training.objective import Scores, objective_for
from lepton_lab.training.resident import place
from lepton_lab.training.validation import score

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

Figures = Callable[[Scores, "PreparedDataset", str], dict[str, Any]]
"""From scores, dataset and split to the figures of one task."""

FIGURES: dict[str, Figures] = {
    "classification": classes.of_classes,
    "multilabel": classes.of_labels,
    "regression": numbers.of_numbers,
    "rating": numbers.of_numbers,
    "forecasting": numbers.of_forecasts,
    "language": others.of_language,
    "ranking": others.of_ranking,
    "detection": others.of_boxes,
}
"""What a report holds besides the loss and the metric, by task."""


def evaluate(
    module: nn.Module,
    dataset: PreparedDataset,
    split: str = "test",
    *,
    run_id: str | None = None,
    between: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Runs a network over one part of its dataset.

    Args:
        module: Is called as in training; it stays in the mode that it is in.
        dataset: Where the rows are.
        split: "train", "validation" or "test".
        run_id: Which run the network comes from.
        between: Called before each pass over rows; what it raises ends the evaluation.

    Returns:
        The report, JSON-able: `task`, `metric` and the figure under the metric's name, rows, loss, the seconds it
        took, and what the task adds (see `FIGURES`). `row` is always a position in the split.

    Raises:
        DataError: The split has no rows.
    """
    began = time.monotonic()
    if not len(dataset.splits[split]):
        raise DataError(f"The {split} part of {dataset.name!r} has no rows to evaluate on; raise {split}_fraction.")
    device = torch.device(next(module.parameters()).device)
    rows = place(dataset, split, device)
    scores = score(module, rows, objective_for(dataset.problem, dataset.target), between=between)
    metric = TASKS[dataset.task].metric
    return {
        "run_id": run_id,
        "task": dataset.task,
        "metric": metric,
        "split": split,
        "rows": len(rows),
        metric: scores.metric,
        "loss": scores.loss,
        **FIGURES[dataset.task](scores, dataset, split),
        **(written(module, dataset, rows) if dataset.task == "language" else {}),
        "seconds": round(time.monotonic() - began, 4),
    }

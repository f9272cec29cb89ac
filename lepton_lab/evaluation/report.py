"""The report of a trained network: what `report.json` holds and every face shows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from lepton_lab.errors import DataError
from lepton_lab.evaluation.metrics import averages, class_scores, confusion_matrix
from lepton_lab.training.resident import place
from lepton_lab.training.validation import score

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

NUM_MISTAKES = 24


def evaluate(
    module: nn.Module, dataset: PreparedDataset, split: str = "test", *, run_id: str | None = None
) -> dict[str, Any]:
    """Runs a network over one part of its dataset.

    Args:
        module: Takes (N, *input_shape), returns class scores (N, K); it stays in the mode that it is in.
        dataset: Where the rows are.
        split: "train", "validation" or "test".
        run_id: Which run the network comes from.

    Returns:
        The report, JSON-able: rows, accuracy, loss, averages, one entry a class, the confusion matrix (row the
        truth, column the prediction), the worst mistakes (surest first; `row` is the position in the split) and the
        seconds it took.

    Raises:
        DataError: The split has no rows.
    """
    began = time.monotonic()
    part = dataset.splits[split]
    if not len(part.labels):
        raise DataError(f"The {split} part of {dataset.name!r} has no rows to evaluate on; raise {split}_fraction.")
    device = next(module.parameters()).device
    scores = score(module, place(part, dataset.preparation, dataset.input_shape, torch.device(device)))
    probabilities_NK = scores.probabilities.numpy()
    truths_N = np.asarray(part.labels, dtype=np.int64)
    predictions_N = probabilities_NK.argmax(1)
    confusion_KK = confusion_matrix(truths_N, predictions_N, len(dataset.classes))
    classes = class_scores(confusion_KK, dataset.classes)
    return {
        "run_id": run_id,
        "split": split,
        "rows": len(truths_N),
        "accuracy": float((truths_N == predictions_N).mean()),
        "loss": scores.loss,
        **averages(classes),
        "classes": classes,
        "confusion": confusion_KK.tolist(),
        "mistakes": _mistakes(probabilities_NK, truths_N, predictions_N, dataset.classes),
        "seconds": round(time.monotonic() - began, 4),
    }


def _mistakes(
    probabilities_NK: np.ndarray, truths_N: np.ndarray, predictions_N: np.ndarray, names: list[str]
) -> list[dict[str, Any]]:
    """The wrong answers that the network was surest of."""
    wrong = np.flatnonzero(truths_N != predictions_N)
    confidence = probabilities_NK[wrong, predictions_N[wrong]]
    worst = np.argsort(-confidence, kind="stable")[:NUM_MISTAKES]
    return [
        {
            "row": int(wrong[i]),
            "truth": names[truths_N[wrong[i]]],
            "prediction": names[predictions_N[wrong[i]]],
            "confidence": round(float(confidence[i]), 4),
        }
        for i in worst
    ]

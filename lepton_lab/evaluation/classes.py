"""Figures of answers that are classes: one of them for each row, or any number of labels.

Shape suffixes: N rows, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.evaluation.metrics import averages, class_scores, confusion_matrix, label_scores

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset
    from lepton_lab.training.objective import Scores

NUM_MISTAKES = 24


def of_classes(scores: Scores, dataset: PreparedDataset, split: str) -> dict[str, Any]:
    """Averages, one entry a class, the confusion matrix (row the truth) and the worst mistakes, surest first."""
    probabilities_NK = scores.outputs.softmax(1).numpy()
    truths_N = np.asarray(dataset.splits[split].labels, dtype=np.int64)
    predictions_N = probabilities_NK.argmax(1)
    confusion_KK = confusion_matrix(truths_N, predictions_N, len(dataset.classes))
    classes = class_scores(confusion_KK, dataset.classes)
    return {
        **averages(classes),
        "classes": classes,
        "confusion": confusion_KK.tolist(),
        "mistakes": _mistakes(probabilities_NK, truths_N, predictions_N, dataset.classes),
        **({"thresholds": _thresholds(probabilities_NK[:, 1], truths_N)} if len(dataset.classes) == 2 else {}),
    }


def of_labels(scores: Scores, dataset: PreparedDataset, split: str) -> dict[str, Any]:
    """F1 over all labels and over the mean label, rows with every label right, one entry a label."""
    probabilities_NK = scores.outputs.sigmoid().numpy()
    truths_NK = np.asarray(dataset.splits[split].labels) > 0.5
    said_NK = probabilities_NK > 0.5
    labels = label_scores(truths_NK, said_NK, dataset.classes)
    return {
        "f1_micro": scores.metric,
        **averages(labels),
        "subset_accuracy": float((truths_NK == said_NK).all(1).mean()),
        "classes": labels,
    }


def _thresholds(probabilities_N: np.ndarray, truths_N: np.ndarray) -> dict[str, list[int]]:
    """Rows that are taken for the second class, rightly and wrongly, where the line is drawn at 0, 0.01, ... 1."""
    lines = np.arange(101) / 100
    there, absent = np.sort(probabilities_N[truths_N == 1]), np.sort(probabilities_N[truths_N == 0])
    return {
        "true_positives": (len(there) - np.searchsorted(there, lines)).tolist(),
        "false_positives": (len(absent) - np.searchsorted(absent, lines)).tolist(),
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

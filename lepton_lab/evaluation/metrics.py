"""Precision, recall and F1 from a confusion matrix; numpy alone.

Shapes: N rows, K classes. Where a figure has no denominator (a class that is never predicted, or has no rows) it is
0, as scikit-learn's `zero_division=0` has it; a test compares the two.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def confusion_matrix(truths_N: np.ndarray, predictions_N: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts (K, K): row the true class, column the predicted one."""
    cells = np.bincount(truths_N * num_classes + predictions_N, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def class_scores(confusion_KK: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of rows of each class."""
    return _table(np.diag(confusion_KK), confusion_KK.sum(0), confusion_KK.sum(1), names)


def averages(classes: list[dict[str, Any]]) -> dict[str, float]:
    """Means over the classes: plain ("macro"), and of F1 also by number of rows ("weighted")."""
    support = np.array([each["support"] for each in classes], dtype=float)
    f1 = np.array([each["f1"] for each in classes])
    return {
        "precision_macro": float(np.mean([each["precision"] for each in classes])),
        "recall_macro": float(np.mean([each["recall"] for each in classes])),
        "f1_macro": float(f1.mean()),
        "f1_weighted": float((f1 * support).sum() / max(1.0, support.sum())),
    }


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    shares = np.zeros(len(part))
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def label_scores(truths_NK: np.ndarray, said_NK: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of rows of each label, where a row may have any number of them."""
    return _table((truths_NK & said_NK).sum(0), said_NK.sum(0), truths_NK.sum(0), names)


def _table(hits: np.ndarray, predicted: np.ndarray, support: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    precision, recall = _share(hits, predicted), _share(hits, support)
    f1 = _share(2 * hits, predicted + support)
    return [
        {
            "name": name,
            "precision": float(precision[k]),
            "recall": float(recall[k]),
            "f1": float(f1[k]),
            "support": int(support[k]),
        }
        for k, name in enumerate(names)
    ]

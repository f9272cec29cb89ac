"""The figures of a report are those of scikit-learn, also where a class is never predicted or has no rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from lepton_lab.evaluation.metrics import averages, class_scores, confusion_matrix

NAMES = ["ant", "bee", "cat", "dog", "eel"]


def draw(seed: int, num_rows: int, *, truths: int = 5, predictions: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Truths of the first classes and predictions that are right about half of the time."""
    generator = np.random.default_rng(seed)
    truths_N = generator.integers(0, truths, num_rows)
    guesses_N = generator.integers(0, predictions, num_rows)
    is_right_N = (generator.random(num_rows) < 0.5) & (truths_N < predictions)
    return truths_N, np.where(is_right_N, truths_N, guesses_N)


CASES = {
    "all classes": draw(0, 400),
    "a class is never predicted": draw(1, 300, predictions=4),
    "a class has no rows": draw(2, 300, truths=4),
    "a class has neither": draw(3, 300, truths=4, predictions=4),
    "one row": draw(4, 1),
    "all right": (np.arange(5), np.arange(5)),
    "all wrong": (np.arange(5), (np.arange(5) + 1) % 5),
}


@pytest.mark.parametrize("case", CASES)
def test_they_are_those_of_scikit_learn(case: str) -> None:
    truths_N, predictions_N = CASES[case]
    labels = range(len(NAMES))
    confusion_KK = confusion_matrix(truths_N, predictions_N, len(NAMES))
    assert confusion_KK.tolist() == reference.confusion_matrix(truths_N, predictions_N, labels=labels).tolist()
    classes = class_scores(confusion_KK, NAMES)
    expected = reference.precision_recall_fscore_support(truths_N, predictions_N, labels=labels, zero_division=0)
    for key, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [each[key] for each in classes] == pytest.approx(list(values))
    assert [each["name"] for each in classes] == NAMES
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = reference.precision_recall_fscore_support(
            truths_N, predictions_N, labels=labels, average=average, zero_division=0
        )
        ours = averages(classes)
        assert ours[f"f1_{average}"] == pytest.approx(f1)
        if average == "macro":
            assert (ours["precision_macro"], ours["recall_macro"]) == pytest.approx((precision, recall))


def test_rows_of_the_matrix_are_truths_and_columns_predictions() -> None:
    confusion_KK = confusion_matrix(np.array([0, 0, 0, 2]), np.array([1, 1, 0, 2]), 3)
    assert confusion_KK.tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]

"""Forward passes without gradients: validation after each epoch, and a few rows to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from lepton_lab.training.objective import Objective, Scores
from lepton_lab.training.resident import Rows

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

NUM_SAMPLES = 8
SURE = 0.5
"""A label is said to be there when its probability is above."""


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Puts a network into evaluation mode, without gradients, for the length of the block."""
    was_training, is_cut = module.training, any(hasattr(each, "to_local") for each in module.parameters())
    module.eval()
    try:
        with torch.no_grad() if is_cut else torch.inference_mode():  # what a pass gathers, a step uses again
            yield
    finally:
        module.train(was_training)


class _Attended:
    """Rows of a split; between two passes over them something else is looked after."""

    def __init__(self, rows: Rows, between: Callable[[], None]) -> None:
        self._rows, self._between = rows, between

    def __len__(self) -> int:
        return len(self._rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def passes(self, num_rows: int) -> Iterator[Any]:
        """As the rows' own."""
        for each in self._rows.passes(num_rows):
            with torch.inference_mode(mode=False):
                self._between()
            yield each


def score(
    module: nn.Module,
    rows: Rows,
    objective: Objective,
    *,
    keep: bool = True,
    between: Callable[[], None] | None = None,
) -> Scores:
    """Scores all rows of a split, which has at least one.

    Args:
        module: The network.
        rows: The split.
        objective: What is scored.
        keep: Whether the outputs are wanted.
        between: Called before each pass; what it raises ends the scoring.
    """
    with evaluating(module):
        return objective.of_split(
            module, rows if between is None else cast("Rows", _Attended(rows, between)), keep=keep
        )


def samples(scores: Scores, dataset: PreparedDataset, split: str) -> list[dict[str, Any]]:
    """The first rows of a split with truth and prediction, as an event carries them.

    Each has `row` (the position in the split), `truth` and `prediction` (names of classes, or numbers in the
    source's units as text) and `confidence` (None for numbers). Tasks whose answers are no single value have none.
    """
    if scores.outputs is None or dataset.task not in ("classification", "multilabel", "regression", "rating"):
        return []
    shown = scores.outputs[:NUM_SAMPLES].float()
    labels = np.asarray(dataset.splits[split].labels[: len(shown)])
    said = _classes if dataset.task == "classification" else _labels if dataset.task == "multilabel" else _numbers
    return [{"row": row, **each} for row, each in enumerate(said(shown, labels, dataset))]


def _classes(shown: torch.Tensor, labels: np.ndarray, dataset: PreparedDataset) -> Iterator[dict[str, Any]]:
    confidences, predictions = shown.softmax(1).max(1)
    for truth, prediction, confidence in zip(labels, predictions.tolist(), confidences.tolist(), strict=True):
        yield {
            "truth": dataset.classes[int(truth)],
            "prediction": dataset.classes[prediction],
            "confidence": round(confidence, 4),
        }


def _labels(shown: torch.Tensor, labels: np.ndarray, dataset: PreparedDataset) -> Iterator[dict[str, Any]]:
    for truth, probabilities in zip(labels, shown.sigmoid().tolist(), strict=True):
        pairs = list(zip(dataset.classes, probabilities, strict=True))
        yield {
            "truth": ", ".join(name for name, is_there in zip(dataset.classes, truth, strict=True) if is_there > SURE),
            "prediction": ", ".join(name for name, probability in pairs if probability > SURE),
            "confidence": round(min(max(p, 1 - p) for p in probabilities), 4),
        }


def _numbers(shown: torch.Tensor, labels: np.ndarray, dataset: PreparedDataset) -> Iterator[dict[str, Any]]:
    said = dataset.target.restore(shown.numpy())
    for truth, prediction in zip(labels, said, strict=True):
        yield {"truth": _text(truth), "prediction": _text(prediction), "confidence": None}


def _text(value: Any) -> str:
    return ", ".join(f"{number:.4g}" for number in np.atleast_1d(value))

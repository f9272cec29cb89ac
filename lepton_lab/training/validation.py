"""Forward passes without gradients: validation after each epoch, and a few rows to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lepton_lab.training.resident import Rows

ROWS_PER_PASS = 512
NUM_SAMPLES = 8


@dataclass(frozen=True)
class Scores:
    """What a network says about a split.

    Attributes:
        probabilities: (N, K) float32 on CPU.
        loss: Mean cross-entropy, without label smoothing.
        accuracy: Share of right answers.
    """

    probabilities: torch.Tensor
    loss: float
    accuracy: float


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Puts a network into evaluation mode, without gradients, for the length of the block."""
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        module.train(was_training)


def score(module: nn.Module, rows: Rows) -> Scores:
    """Scores all rows of a split, which has at least one."""
    passes = []
    with evaluating(module):
        for start in range(0, len(rows), ROWS_PER_PASS):
            inputs, _ = rows.span(start, min(start + ROWS_PER_PASS, len(rows)))
            passes.append(module(inputs).float())
        scores = torch.cat(passes)
        loss = cross_entropy(scores, rows.labels).item()
        num_correct = int(scores.argmax(1).eq(rows.labels).sum().item())
    return Scores(scores.softmax(1).cpu(), loss, num_correct / len(rows))


def samples(scores: Scores, labels: torch.Tensor, classes: list[str]) -> list[dict[str, Any]]:
    """The first rows of a split with truth, prediction and confidence, as an event carries them.

    `row` is the position in the split, `truth` and `prediction` are names of classes.
    """
    shown = scores.probabilities[:NUM_SAMPLES]
    confidences, predictions = shown.max(1)
    return [
        {
            "row": i,
            "truth": classes[int(labels[i])],
            "prediction": classes[int(predictions[i])],
            "confidence": round(float(confidences[i]), 4),
        }
        for i in range(len(shown))
    ]

"""What training makes small, by the name that `TrainSpec.loss` gives it.

Shape suffixes: B rows, K classes or targets, T tokens, V words. Outputs are float32, without softmax or sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from lepton_lab.errors import RunFailed
from lepton_lab.specs.tasks import TASKS, Problem

Loss = Callable[[Tensor, Tensor], Tensor]
"""From outputs and labels of a batch to their mean loss ()."""

Weigh = Callable[[Tensor], Tensor]
"""From the labels of a batch to what each row counts in its mean loss (B,)."""

FOCUS = 2.0
"""Exponent of the focal loss, as its paper has it."""


def loss_for(name: str, problem: Problem, *, label_smoothing: float = 0.0, class_weights: Tensor | None = None) -> Loss:
    """The loss of a run.

    Args:
        name: One of the task's losses, or "auto" for the first of them.
        problem: What is learnt.
        label_smoothing: Share of each label spread over the other classes.
        class_weights: Weight of each class (K,): of its rows (classification), of its positives (several labels).

    Raises:
        RunFailed: The loss does not fit the task.
    """
    task = TASKS[problem.task]
    name = task.losses[0] if name == "auto" else name
    if name not in task.losses:
        fitting = ", ".join(task.losses)
        raise RunFailed(f"The loss {name!r} does not fit {task.name}; choose one of: {fitting}.", "error")
    if name == "cross_entropy":
        loss = partial(functional.cross_entropy, label_smoothing=label_smoothing, weight=class_weights)
        return partial(_of_tokens, loss) if task.name == "language" else loss
    if name == "focal":
        if task.name == "multilabel":
            return partial(_binary_focal, class_weights=class_weights)
        return partial(_focal, label_smoothing=label_smoothing, class_weights=class_weights)
    if name == "bce":
        return partial(_binary, label_smoothing=label_smoothing, class_weights=class_weights)
    return _NUMBERS[name]


def weigher_for(name: str, problem: Problem, class_weights: Tensor | None) -> Weigh | None:
    """What each row counts in the mean that the loss of this name is; None where all count alike."""
    task = TASKS[problem.task]
    name = task.losses[0] if name == "auto" else name
    if class_weights is None or task.name != "classification" or name not in ("cross_entropy", "focal"):
        return None

    def weigh(labels: Tensor) -> Tensor:
        if labels.ndim == 1:
            return class_weights[labels]
        # Labels of mixed rows: torch's mean is over the rows, the focal loss goes by the likeliest class.
        return class_weights[labels.argmax(1)] if name == "focal" else labels.new_ones(len(labels))

    return weigh


def _of_tokens(loss: Loss, outputs_BTV: Tensor, labels_BT: Tensor) -> Tensor:
    return loss(outputs_BTV.flatten(0, 1), labels_BT.flatten())


def _focal(outputs_BK: Tensor, labels_B: Tensor, *, label_smoothing: float, class_weights: Tensor | None) -> Tensor:
    """Cross-entropy in which rows that are known well count little (Lin et al. 2017, arXiv 1708.02002)."""
    each_B = functional.cross_entropy(outputs_BK, labels_B, label_smoothing=label_smoothing, reduction="none")
    hard_B = labels_B if labels_B.ndim == 1 else labels_B.argmax(1)
    sure_B = outputs_BK.softmax(1).gather(1, hard_B[:, None])[:, 0]
    each_B = (1 - sure_B) ** FOCUS * each_B
    if class_weights is None:
        return each_B.mean()
    weights_B = class_weights[hard_B]
    return (each_B * weights_B).sum() / weights_B.sum()


def _binary(outputs_BK: Tensor, labels_BK: Tensor, *, label_smoothing: float, class_weights: Tensor | None) -> Tensor:
    if label_smoothing:
        labels_BK = labels_BK * (1 - label_smoothing) + label_smoothing / 2
    return functional.binary_cross_entropy_with_logits(outputs_BK, labels_BK, pos_weight=class_weights)


def _binary_focal(outputs_BK: Tensor, labels_BK: Tensor, *, class_weights: Tensor | None) -> Tensor:
    each_BK = functional.binary_cross_entropy_with_logits(
        outputs_BK, labels_BK, pos_weight=class_weights, reduction="none"
    )
    wrong_BK = (outputs_BK.sigmoid() - labels_BK).abs()
    return (wrong_BK**FOCUS * each_BK).mean()


def _mse(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.mse_loss(outputs, labels)


def _huber(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.huber_loss(outputs, labels)


def _mae(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.l1_loss(outputs, labels)


_NUMBERS: dict[str, Loss] = {"mse": _mse, "huber": _huber, "mae": _mae}


def balanced_weights(counts: Tensor, task: str) -> Tensor:
    """Weights that let each class count the same.

    Args:
        counts: Rows of each class and, for several labels, the number of all rows as one more entry.
        task: "classification" or "multilabel".

    Returns:
        Float (K,): for classes the mean count through the count of each, for labels the negatives a positive has,
        at most 100.
    """
    if task == "multilabel":
        positives, rows = counts[:-1].double(), counts[-1]
        return ((rows - positives) / positives.clamp(min=1)).clamp(1e-2, 100).float()
    present = counts.double().clamp(min=1)
    return (counts.sum() / (len(counts) * present)).float()


def count_classes(labels: Tensor, task: str, num_classes: int) -> Tensor:
    """What `balanced_weights` counts from: labels (N,) of classes, or (N, K) of 0 and 1."""
    if task == "multilabel":
        return torch.cat([labels.sum(0), labels.new_tensor([len(labels)])])
    return torch.bincount(labels, minlength=num_classes)

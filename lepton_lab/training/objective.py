"""What a task asks of training: a loss for a step, and loss and metric for a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from lepton_lab.training.losses import Loss, Weigh, loss_for, weigher_for
from lepton_lab.training.metrics import Metric, metric_for
from lepton_lab.training.resident import Batch, Rows

if TYPE_CHECKING:
    from lepton_lab.data.targets import Target
    from lepton_lab.specs.tasks import Problem


class Window(Protocol):
    """The rows of a batch that one of several processes has; see `scaling.team.Window`."""

    @property
    def share(self) -> tuple[int, int, int]:
        """First row, row behind the last one, rows of the whole batch."""
        ...


ROWS_PER_PASS = {"cpu": 128, "cuda": 512}
"""More of them at once take a CPU 1.5 times as long and the memory that a step has not: what a layer gives is to fit a
core's cache."""

LARGEST_PASS_NUMBERS = 1 << 22
"""A pass without gradients holds at most so many input numbers, at least one row."""


@dataclass(frozen=True)
class Scores:
    """What a network says about a split.

    Attributes:
        outputs: As the network gives them, float32 (N, *output_shape) on the CPU; a list of boxes for each picture
            (detection); None where they were not kept.
        loss: Mean loss, without label smoothing and class weights.
        metric: The task's metric.
        more: Other figures that came with it, such as the mAP of each class.
    """

    outputs: Any
    loss: float
    metric: float
    more: dict[str, Any]


class Objective:
    """The loss and the metric of a task.

    Args:
        problem: What is learnt.
        metric: The figure that progress is judged by.
        loss: What a step makes small.
        plain_loss: What a split is judged by: the same without label smoothing and class weights.
        weigh: What each row counts in a mean loss, from labels (N, ...) to (N,), where they do not count alike.

    Attributes:
        window: Where several processes share a batch: which of its rows this one has, `(start, stop, num_rows)`.
    """

    def __init__(
        self, problem: Problem, metric: Metric, loss: Loss, plain_loss: Loss, weigh: Weigh | None = None
    ) -> None:
        self.problem, self.metric = problem, metric
        self._loss, self._plain_loss, self._weigh = loss, plain_loss, weigh
        self.window: Window | None = None
        self._ndim = 1 + len(problem.output_shape)

    def of_step(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The loss () of a batch, and the outputs (B, ...) that the metric is made of.

        A network of several members gives the outputs of each, (B, M, ...): each has a loss of its own, of which the
        mean is taken.
        """
        outputs = module(*batch.inputs).float()
        if outputs.ndim > self._ndim:
            labels = batch.labels.repeat_interleave(outputs.shape[1], 0)
            return self._loss(outputs.flatten(0, 1), labels), outputs.detach().mean(1)
        return self._loss(outputs, batch.labels), outputs

    def share(self, labels: Any, start: int, stop: int) -> float:
        """What the mean loss of the rows from `start` to `stop` counts in that of all rows of `labels`."""
        if self._weigh is None:
            return (stop - start) / len(labels)
        weights = self._weigh(labels)
        return float(weights[start:stop].sum() / weights.sum())

    def of_pass(self, module: nn.Module, batch: Batch) -> tuple[float, Tensor, Tensor]:
        """Mean loss, the metric's sums float64 (S,) on the CPU, and the outputs (B, ...) of some rows of a split."""
        outputs = module(*batch.inputs).float()
        loss = self._plain_loss(outputs, batch.labels).item()
        if self.metric.sums is None:
            return loss, torch.zeros(1, dtype=torch.float64), outputs
        return loss, self.metric.sums(outputs, batch.labels).double().sum(0).cpu(), outputs

    def of_split(self, module: nn.Module, rows: Rows, *, keep: bool = True) -> Scores:
        """Loss and metric of all rows of a split, which has at least one.

        Args:
            module: In evaluation mode.
            rows: The split.
            keep: Whether the outputs are wanted.
        """
        loss, sums, kept = 0.0, torch.zeros(max(1, self.metric.num_sums), dtype=torch.float64), list[Tensor]()
        order = []
        for index, batch in rows.passes(rows_per_pass(self.problem, rows.device)):
            mean_loss, own_sums, outputs = self.of_pass(module, batch)
            loss += mean_loss * len(index)
            sums += own_sums
            if keep and self.problem.task != "language":
                kept.append(outputs.cpu())
                order.append(index)
        loss /= len(rows)
        metric = self.metric.value(sums.tolist(), loss, len(rows))
        all_outputs = None
        if kept:
            all_outputs = torch.cat(kept)
            all_outputs[torch.cat(order)] = all_outputs.clone()
        return Scores(all_outputs, loss, float("nan") if metric is None else metric, {})


def rows_per_pass(problem: Problem, device: torch.device) -> int:
    """Rows of a pass without gradients, fewer where each is large."""
    numbers = 1
    for side in (*problem.input_shape, *(problem.output_shape[-1:] if problem.task == "language" else ())):
        numbers *= max(1, side)
    return max(1, min(ROWS_PER_PASS[device.type], LARGEST_PASS_NUMBERS // numbers))


def objective_for(
    problem: Problem,
    target: Target,
    *,
    loss: str = "auto",
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Objective:
    """The objective of a task.

    Args:
        problem: What is learnt.
        target: How labels are scaled.
        loss: A name of the task's losses, or "auto".
        label_smoothing: Share of each label spread over the other classes.
        class_weights: Weight of each class (K,).

    Raises:
        RunFailed: The loss does not fit the task.
    """
    metric = metric_for(problem, target)
    if problem.task == "detection":
        from lepton_lab.training.detection import DetectionObjective

        return DetectionObjective(problem, metric)
    if problem.task == "ranking":
        from lepton_lab.training.ranking import RankingObjective

        return RankingObjective(problem, metric, "bpr" if loss == "auto" else loss)
    wanted = loss_for(loss, problem, label_smoothing=label_smoothing, class_weights=class_weights)
    weigh = weigher_for(loss, problem, class_weights)
    return Objective(problem, metric, wanted, loss_for(loss, problem), weigh)

"""Detection: the detector's own loss, and mean average precision over its boxes.

Boxes are (left, top, right, bottom) in pixels. A detector has `loss(outputs, targets)`, targets a list of (n, 5)
boxes with their class, and `decode(outputs)`, which gives a list of (n, 6) boxes with confidence and class
(arrays or tensors).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lepton_lab.training.metrics import Metric
from lepton_lab.training.objective import Objective, Scores
from lepton_lab.training.resident import Batch, Rows

if TYPE_CHECKING:
    from lepton_lab.specs.tasks import Problem

ROWS_PER_PASS = 32
OVERLAPS = tuple(0.5 + 0.05 * i for i in range(10))
"""Overlaps that a box must have with a true one to count, as COCO averages over them."""


class DetectionObjective(Objective):
    """The detector's own loss; the metric needs a whole split."""

    def __init__(self, problem: Problem, metric: Metric) -> None:
        super().__init__(problem, metric, _of_the_detector, _of_the_detector)

    def of_step(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The detector's loss () of a batch."""
        loss: Tensor = module.loss(module(*batch.inputs), batch.labels)  # type: ignore[operator]
        return loss, None

    def of_split(self, module: nn.Module, rows: Rows, *, keep: bool = True) -> Scores:
        """Loss, mAP at an overlap of 0.5, mAP over all overlaps and of each class."""
        loss, found, truths = 0.0, list[Tensor](), list[Tensor]()
        for index, batch in rows.passes(ROWS_PER_PASS):
            outputs = module(*batch.inputs)
            loss += float(module.loss(outputs, batch.labels)) * len(index)  # type: ignore[operator]
            found += [torch.as_tensor(boxes).float().cpu() for boxes in module.decode(outputs)]  # type: ignore[operator]
            truths += [boxes.cpu() for boxes in batch.labels]
        of_class = average_precisions(found, truths, len(self.problem.classes))
        known = [each for each in of_class if each is not None]
        map50 = sum(each[0] for each in known) / len(known) if known else 0.0
        map_all = sum(sum(each) / len(each) for each in known) / len(known) if known else 0.0
        more = {"map": map_all, "map50_of_class": [None if each is None else each[0] for each in of_class]}
        return Scores(found if keep else None, loss / len(rows), map50, more)


def _of_the_detector(outputs: Tensor, labels: Tensor) -> Tensor:
    raise NotImplementedError("a detector brings its own loss")


def average_precisions(
    found: list[Tensor], truths: list[Tensor], num_classes: int, overlaps: tuple[float, ...] = OVERLAPS
) -> list[list[float] | None]:
    """Average precision of each class at each overlap: the area under its precision envelope.

    Args:
        found: For each picture boxes (n, 6): left, top, right, bottom, confidence, class.
        truths: For each picture boxes (n, 5): left, top, right, bottom, class.
        num_classes: K.
        overlaps: Intersection over union that counts as found.

    Returns:
        K lists, as long as `overlaps`; None for a class without a true box.
    """
    return [_of_class(found, truths, k, overlaps) for k in range(num_classes)]


def _of_class(found: list[Tensor], truths: list[Tensor], k: int, overlaps: tuple[float, ...]) -> list[float] | None:
    mine = [(i, boxes[boxes[:, 5] == k]) for i, boxes in enumerate(found)]
    true = [boxes[boxes[:, 4] == k][:, :4] for boxes in truths]
    num_true = sum(len(boxes) for boxes in true)
    if not num_true:
        return None
    rows = [(box[4].item(), i, box[:4]) for i, boxes in mine for box in boxes]
    rows.sort(key=lambda row: -row[0])
    shared = [overlap(box[None], true[i])[0] for _, i, box in rows]
    return [_area(_hits(rows, shared, true, least), num_true) for least in overlaps]


def _hits(rows: list[Any], shared: list[Tensor], true: list[Tensor], least: float) -> list[bool]:
    """Whether each box, surest first, finds a true one that none before it has found."""
    taken = [torch.zeros(len(boxes), dtype=torch.bool) for boxes in true]
    hits = []
    for (_, i, _), shares in zip(rows, shared, strict=True):
        free = shares.masked_fill(taken[i], -1.0)
        best = int(free.argmax()) if len(free) else -1
        hits.append(best >= 0 and bool(free[best] >= least))
        if hits[-1]:
            taken[i][best] = True
    return hits


def _area(hits: list[bool], num_true: int) -> float:
    if not hits:
        return 0.0
    right = torch.tensor(hits, dtype=torch.float64).cumsum(0)
    precision = right / torch.arange(1, len(hits) + 1)
    envelope = precision.flip(0).cummax(0).values.flip(0)
    recall = right / num_true
    return float((torch.diff(recall, prepend=torch.zeros(1, dtype=torch.float64)) * envelope).sum())


def overlap(one_N4: Tensor, other_M4: Tensor) -> Tensor:
    """Intersection over union of boxes (N, 4) and (M, 4): (N, M); 0 where both are empty."""
    low = torch.maximum(one_N4[:, None, :2], other_M4[None, :, :2])
    high = torch.minimum(one_N4[:, None, 2:], other_M4[None, :, 2:])
    both = (high - low).clamp(min=0).prod(2)
    sizes = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1) for boxes in (one_N4, other_M4)]
    union = sizes[0][:, None] + sizes[1][None, :] - both
    return both / union.clamp(min=1e-9)

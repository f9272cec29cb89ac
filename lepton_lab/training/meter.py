"""What a run measures: loss and accuracy of every step, without asking the device inside a step.

`Meter.push` keeps references to a step's loss and scores. `Meter.collect` turns all of them into numbers at once,
a few times a second; on CUDA the numbers travel to pinned memory on their own and are taken when they have come.
Curve points are cut by step numbers alone, never by the clock, so that a resumed run draws the very same points.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

POINTS_PER_DOUBLING = 512
ROWS_PER_POINT = 128
"""A point of the young curve covers so many rows, else it shows little but noise."""

MAX_PENDING_NUMBERS = 4_000_000
MAX_PENDING_STEPS = 1024


@dataclass
class Sums:
    """Sums over rows: of the loss, of right answers, of the rows themselves."""

    loss: float = 0.0
    num_correct: int = 0
    num_rows: int = 0

    def add(self, loss: float, num_correct: int, num_rows: int) -> None:
        """Adds a step whose mean loss was `loss`."""
        self.loss += loss * num_rows
        self.num_correct += num_correct
        self.num_rows += num_rows

    def means(self) -> tuple[float, float]:
        """Loss and accuracy per row; zeros of nothing."""
        rows = max(1, self.num_rows)
        return self.loss / rows, self.num_correct / rows


@dataclass
class Points:
    """Finished curve points that no event has carried yet."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    def add(self, step: int, sums: Sums) -> None:
        """Appends the point that ends with a step."""
        loss, accuracy = sums.means()
        self.steps.append(step)
        self.losses.append(loss)
        self.accuracies.append(accuracy)


def steps_per_point(step: int, batch_size: int) -> int:
    """Steps that the curve point around a step covers; a power of two times the first, growing with the run."""
    first = max(1, ROWS_PER_POINT // batch_size)
    doublings = (step // (first * POINTS_PER_DOUBLING)).bit_length()
    return int(first << max(0, doublings - 1))


class Meter:
    """Sums of the open curve point and of the open epoch, and the steps that are not summed yet.

    Args:
        batch_size: Rows of a full step.
        device: Where losses and scores are.
    """

    def __init__(self, batch_size: int, device: torch.device) -> None:
        self.point, self.epoch, self.points = Sums(), Sums(), Points()
        self.num_steps = 0
        self.last_loss = 0.0
        self._batch_size, self._is_cuda = batch_size, device.type == "cuda"
        self._losses: list[torch.Tensor] = []
        self._scores: list[torch.Tensor] = []
        self._labels: list[torch.Tensor] = []
        self._pending_numbers = 0
        self._travelling: deque[tuple[torch.Tensor, torch.Tensor, list[int], Any]] = deque()

    def push(self, loss: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor) -> bool:
        """Keeps a step's loss (), scores (B, K) and labels (B,); True when it is time to collect."""
        self._losses.append(loss)
        self._scores.append(scores)
        self._labels.append(labels)
        self._pending_numbers += scores.numel()
        return self._pending_numbers > MAX_PENDING_NUMBERS or len(self._losses) >= MAX_PENDING_STEPS

    def collect(self, *, wait: bool = True) -> None:
        """Sums the steps that were pushed; without `wait`, only those whose numbers have come from the device."""
        if self._losses:
            self._send()
        while self._travelling:
            losses, hits, ends, arrived = self._travelling[0]
            if arrived is not None and not wait and not arrived.query():
                return
            if arrived is not None:
                arrived.synchronize()
            self._travelling.popleft()
            self._sum(losses.tolist(), hits.tolist(), ends)

    @torch.no_grad()
    def _send(self) -> None:
        ends, total = [], 0
        for labels in self._labels:
            total += len(labels)
            ends.append(total)
        losses = torch.stack(self._losses).detach().float()
        hits = torch.cat(self._scores).argmax(1).eq(torch.cat(self._labels)).cumsum(0)
        last_of_each = torch.tensor(ends, device=hits.device) - 1
        hits = hits.index_select(0, last_of_each)
        arrived = None
        if self._is_cuda:
            losses, hits = losses.to("cpu", non_blocking=True), hits.to("cpu", non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        self._travelling.append((losses, hits, ends, arrived))
        self._losses, self._scores, self._labels, self._pending_numbers = [], [], [], 0

    def _sum(self, losses: list[float], hits: list[int], ends: list[int]) -> None:
        rows_before = hits_before = 0
        for loss, hit, end in zip(losses, hits, ends, strict=True):
            self.num_steps += 1
            self.last_loss = loss
            for sums in (self.point, self.epoch):
                sums.add(loss, hit - hits_before, end - rows_before)
            rows_before, hits_before = end, hit
            if self.num_steps == 1 or self.num_steps % steps_per_point(self.num_steps, self._batch_size) == 0:
                self.points.add(self.num_steps, self.point)
                self.point = Sums()

    def take_points(self) -> Points:
        """The finished points since the last call."""
        taken, self.points = self.points, Points()
        return taken

    def take_epoch(self) -> tuple[float, float]:
        """Mean loss and accuracy of the epoch that has ended; the next one starts empty."""
        means, self.epoch = self.epoch.means(), Sums()
        return means

    def state(self) -> dict[str, Any]:
        """The open sums as plain values, for a checkpoint; `collect` comes first."""
        return {"num_steps": self.num_steps, "point": asdict(self.point), "epoch": asdict(self.epoch)}

    def load(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.num_steps = state["num_steps"]
        self.point, self.epoch = Sums(**state["point"]), Sums(**state["epoch"])

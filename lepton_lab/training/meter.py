"""What a run measures: loss and metric of every step, without asking the device inside a step.

`Meter.push` keeps references to a step's loss and outputs. `Meter.collect` turns all of them into numbers at once,
a few times a second; on CUDA the numbers travel to pinned memory on their own and are taken when they have come.
Curve points are cut by step numbers alone, never by the clock, so that a resumed run draws the very same points.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from lepton_lab.training.metrics import Metric

POINTS_PER_DOUBLING = 512
ROWS_PER_POINT = 128
"""A point of the young curve covers so many rows, else it shows little but noise."""

MAX_PENDING_NUMBERS = 1_000_000
MAX_PENDING_STEPS = 1024


@dataclass
class Sums:
    """Sums over rows: of the loss, of what the metric is made of, of the rows themselves."""

    loss: float = 0.0
    num_rows: int = 0
    parts: list[float] = field(default_factory=list)

    def add(self, loss: float, parts: Sequence[float], num_rows: int) -> None:
        """Adds a step whose mean loss was `loss`."""
        self.loss += loss * num_rows
        self.num_rows += num_rows
        self.parts = [a + b for a, b in zip(self.parts, parts, strict=True)] if self.parts else list(parts)

    def means(self, metric: Metric) -> tuple[float, float | None]:
        """Loss and metric over the rows; zeros of nothing."""
        if not self.num_rows:
            return 0.0, None
        loss = self.loss / self.num_rows
        return loss, metric.value(self.parts, loss, self.num_rows)


@dataclass
class Points:
    """Finished curve points that no event has carried yet."""

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    metrics: list[float | None] = field(default_factory=list)


def steps_per_point(step: int, batch_size: int) -> int:
    """Steps that the curve point around a step covers; a power of two times the first, growing with the run."""
    first = max(1, ROWS_PER_POINT // batch_size)
    doublings = (step // (first * POINTS_PER_DOUBLING)).bit_length()
    return int(first << max(0, doublings - 1))


class Meter:
    """Sums of the open curve point and of the open epoch, and the steps that are not summed yet.

    Args:
        batch_size: Rows of a full step.
        device: Where losses and outputs are.
        metric: What is measured besides the loss.
    """

    def __init__(self, batch_size: int, device: torch.device, metric: Metric) -> None:
        self.point, self.epoch, self.points = Sums(), Sums(), Points()
        self.metric = metric
        self.num_steps = 0
        self.last_loss = 0.0
        self.broken_step: int | None = None
        """The first step whose loss was not finite."""
        self._batch_size, self._is_cuda = batch_size, device.type == "cuda"
        self._pending: list[tuple[Tensor, Any, Any, int]] = []
        self._pending_numbers = 0
        self._travelling: deque[tuple[Tensor, Tensor | None, list[int], Any]] = deque()

    def push(self, loss: Tensor, outputs: Tensor | None, labels: Any, num_rows: int) -> bool:
        """Keeps a step's loss (), outputs (B, ...) and labels; True when it is time to collect."""
        if self.metric.sums is None or outputs is None:
            self._pending.append((loss, None, None, num_rows))
        else:
            self._pending.append((loss, outputs, labels, num_rows))
            self._pending_numbers += outputs.numel()
        return self._pending_numbers > MAX_PENDING_NUMBERS or len(self._pending) >= MAX_PENDING_STEPS

    def collect(self, *, wait: bool = True) -> None:
        """Sums the steps that were pushed; without `wait`, only those whose numbers have come from the device."""
        if self._pending:
            self._send()
        while self._travelling:
            losses, parts, rows, arrived = self._travelling[0]
            if arrived is not None and not wait and not arrived.query():
                return
            if arrived is not None:
                arrived.synchronize()
            self._travelling.popleft()
            self._sum(losses.tolist(), parts.tolist() if parts is not None else [[]] * len(rows), rows)

    @torch.no_grad()
    def _send(self) -> None:
        all_losses, outputs, labels, rows = zip(*self._pending, strict=True)
        losses = torch.stack(all_losses).float()
        parts = None
        if self.metric.sums is not None and outputs[0] is not None:
            sums = self.metric.sums(torch.cat(outputs), torch.cat(labels)).double()
            step_of_row = torch.repeat_interleave(torch.tensor(rows)).to(losses.device)
            parts = sums.new_zeros(len(rows), self.metric.num_sums).index_add_(0, step_of_row, sums)
        arrived = None
        if self._is_cuda:
            losses = losses.to("cpu", non_blocking=True)
            parts = parts.to("cpu", non_blocking=True) if parts is not None else None
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        self._travelling.append((losses, parts, list(rows), arrived))
        self._pending, self._pending_numbers = [], 0

    def _sum(self, losses: list[float], parts: list[list[float]], rows: list[int]) -> None:
        for loss, part, num_rows in zip(losses, parts, rows, strict=True):
            self.num_steps += 1
            self.last_loss = loss
            if self.broken_step is None and not math.isfinite(loss):
                self.broken_step = self.num_steps
            self.point.add(loss, part, num_rows)
            self.epoch.add(loss, part, num_rows)
            if self.num_steps == 1 or self.num_steps % steps_per_point(self.num_steps, self._batch_size) == 0:
                self._finish_point()

    def _finish_point(self) -> None:
        loss, metric = self.point.means(self.metric)
        self.points.steps.append(self.num_steps)
        self.points.losses.append(loss)
        self.points.metrics.append(metric)
        self.point = Sums()

    def take_points(self) -> Points:
        """The finished points since the last call."""
        taken, self.points = self.points, Points()
        return taken

    def take_epoch(self) -> tuple[float, float | None]:
        """Mean loss and metric of the epoch that has ended; the next one starts empty."""
        means, self.epoch = self.epoch.means(self.metric), Sums()
        return means

    def state(self) -> dict[str, Any]:
        """The open sums as plain values, for a checkpoint; `collect` comes first."""
        return {"num_steps": self.num_steps, "point": asdict(self.point), "epoch": asdict(self.epoch)}

    def load(self, state: dict[str, Any]) -> None:
        """Takes back what `state` gave."""
        self.num_steps = state["num_steps"]
        self.point, self.epoch = Sums(**state["point"]), Sums(**state["epoch"])

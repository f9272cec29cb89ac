"""One optimizer update: forward, loss, backward, move."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from lepton_lab.training.objective import Objective
from lepton_lab.training.optimizers import Optimizer
from lepton_lab.training.plan import Plan
from lepton_lab.training.resident import Batch


class NonFiniteLoss(ArithmeticError):
    """The loss is not a finite number; the update of that step was not made (CPU) or not kept (CUDA)."""


class Step:
    """The update of a run, with all that it needs looked up once.

    Args:
        module: What trains.
        optimizer: Moves the module's parameters.
        objective: Loss of a batch.
        plan: Precision, gradient clipping, and in how many parts a step's rows go through the network.

    Attributes:
        num_parts: The rows of a step go through the network in so many parts, whose gradients are added up: the
            update is that of the whole (but for batch norms, which see a part at a time).
        is_compiled: Whether the network is compiled; see `training.compiled`.
    """

    is_compiled = False

    def __init__(self, module: nn.Module, optimizer: Optimizer, objective: Objective, plan: Plan) -> None:
        self._module: Any = module
        self._optimizer, self._objective = optimizer, objective
        self._clip_norm, self.num_parts = plan.clip_norm, plan.accumulate
        self._looks_at_loss = plan.device == "cpu"
        self._device, self._autocasts = plan.device, plan.precision == "bfloat16"

    def __call__(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        """Makes one update and returns the loss () and the outputs (B, ...) from before it, without their graph.

        Raises:
            NonFiniteLoss: On CPU, where looking costs little, before the update; on CUDA the meter tells it later.
        """
        loss, outputs = self._whole(batch) if self.num_parts == 1 else self._in_parts(batch)
        if self._clip_norm is not None:
            self._clip(self._clip_norm)
        self._optimizer.step(learning_rate)
        self._optimizer.zero_grad()
        return loss, outputs

    def go_through(self, module: Any) -> None:
        """From the next step on, the rows go through this, which computes what the network does from its weights."""
        self._optimizer.zero_grad()
        self._module = module

    def split(self, num_rows: int) -> bool:
        """Halves what goes through the network at once, after the memory was full; False when that is one row."""
        self._optimizer.zero_grad()
        if self.num_parts >= num_rows:
            return False
        self.num_parts = min(num_rows, 2 * self.num_parts)
        if self._device == "cuda":
            torch.cuda.empty_cache()
        return True

    def _whole(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        with self._precision():
            loss, outputs = self._objective.of_step(self._module, batch)
        self._look_at(loss)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), None if outputs is None else outputs.detach()

    def _in_parts(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        num_rows = len(batch.labels)
        losses, outputs = [], []
        for part in parts_of(batch, -(-num_rows // self.num_parts)):
            with self._precision():
                loss, output = self._objective.of_step(self._module, part)
                loss = loss * (len(part.labels) / num_rows)
            self._look_at(loss)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            if output is not None:
                outputs.append(output.detach())
        return torch.stack(losses).sum(), torch.cat(outputs) if outputs else None

    def _clip(self, longest: float) -> None:
        nn.utils.clip_grad_norm_(self._optimizer.parameters, longest, foreach=True)

    def _look_at(self, loss: Tensor) -> None:
        if self._looks_at_loss and not math.isfinite(loss.item()):
            raise NonFiniteLoss(f"the training loss became {loss.item()}")

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device, torch.bfloat16) if self._autocasts else nullcontext()


def parts_of(batch: Batch, size: int) -> Iterator[Batch]:
    """A batch cut into parts of `size` rows, the last one of what is left."""
    for start in range(0, len(batch.labels), size):
        stop = start + size
        yield Batch(tuple(each[start:stop] for each in batch.inputs), batch.labels[start:stop])

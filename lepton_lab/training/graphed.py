"""The whole step as one CUDA graph: forward, loss, backward and update are started by a single call.

A small network's step is hundreds of kernels of a few microseconds each, and starting them takes longer than running
them. A graph holds them all (https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/). What changes from step
to step comes through buffers that stay where they are: the rows, the labels, the learning rate and the step's number.

The first steps are taken one kernel at a time, as a graph needs it; so is a step whose batch has another shape, such as
the last one of an epoch. Both ways compute the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lepton_lab.training.objective import Objective
from lepton_lab.training.optimizers import Optimizer
from lepton_lab.training.plan import Plan
from lepton_lab.training.resident import Batch
from lepton_lab.training.step import Step

NUM_WARM_UP = 3
"""Steps before the recording: libraries choose their kernels and take their memory in them."""

Record = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes what is to be done and returns what does it again."""


def record_graph(work: Callable[[], None]) -> Callable[[], None]:
    """Records the kernels that `work` starts, without running them; the result runs them all."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def can_be_graphed(plan: Plan, objective: Objective, optimizer: Optimizer, *, has_lengths: bool) -> bool:
    """Whether every step does the same work: rows of one shape, a fused update, nothing that asks the device."""
    is_plain = type(objective) is Objective and not has_lengths
    return plan.device == "cuda" and is_plain and optimizer.can_move and optimizer.fused and plan.accumulate == 1


class GraphedStep(Step):
    """`Step`, recorded once and run again; see there for the arguments.

    Args:
        record: How the work is recorded.
        warn: Told a sentence where a network cannot be recorded; it trains one kernel at a time then.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: Optimizer,
        objective: Objective,
        plan: Plan,
        *,
        record: Record = record_graph,
        warn: Callable[[str], object] = lambda message: None,
    ) -> None:
        super().__init__(module, optimizer, objective, plan)
        self._record, self._warn = record, warn
        device = torch.device(plan.device)
        self._rate = torch.zeros((), device=device)
        self._number = torch.zeros((), device=device)
        self._num_warm, self._is_refused = 0, False
        self._again: Callable[[], None] | None = None
        self._held: Batch | None = None
        self._loss: Tensor | None = None
        self._outputs: Tensor | None = None

    def __call__(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        if self._is_refused or self.num_parts > 1 or not self._fits(batch):
            if self._again is not None:
                self._optimizer.zero_grad()  # those of the last run are still there
            return super().__call__(batch, learning_rate)
        if self._num_warm < NUM_WARM_UP:
            self._num_warm += 1
            return self._beside(batch, learning_rate)
        if self._again is None and not self._prepare(batch):
            return super().__call__(batch, learning_rate)
        return self._replay(batch, learning_rate)

    def go_through(self, module: Any) -> None:
        """As `Step.go_through`; the step is recorded anew."""
        super().go_through(module)
        self._num_warm, self._again, self._held, self._is_refused = 0, None, None, False

    def _fits(self, batch: Batch) -> bool:
        """Whether a batch has the shapes that were recorded, or none were yet."""
        if self._held is None:
            return isinstance(batch.labels, Tensor)
        pairs = zip((*self._held.inputs, self._held.labels), (*batch.inputs, batch.labels), strict=True)
        return all(held.shape == new.shape and held.dtype == new.dtype for held, new in pairs)

    def _beside(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        """A plain step on a stream of its own, as the steps before a recording have to be."""
        if self._device != "cuda":
            return super().__call__(batch, learning_rate)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            done = super().__call__(batch, learning_rate)
        torch.cuda.current_stream().wait_stream(stream)
        return done

    def _prepare(self, batch: Batch) -> bool:
        """Lays the buffers and records the step; False, from now on, where the network does not let itself be."""
        self._held = Batch(tuple(each.clone() for each in batch.inputs), batch.labels.clone())
        self._optimizer.zero_grad()
        try:
            self._again = self._record(self._work)
        except RuntimeError as error:
            self._is_refused, self._held = True, None
            self._optimizer.zero_grad()
            said = str(error).partition("\n")[0]
            self._warn(f"The step cannot be recorded as a CUDA graph ({said}); it is taken one kernel at a time.")
            return False
        return True

    def _work(self) -> None:
        """What a graph holds: from the buffers to moved weights, and to the loss and the outputs."""
        assert self._held is not None
        for parameter in self._optimizer.parameters:
            parameter.grad = None  # the recording makes gradients of its own, which each run writes anew
        with torch.autocast(self._device, torch.bfloat16, enabled=self._autocasts, cache_enabled=False):
            loss, outputs = self._objective.of_step(self._module, self._held)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._optimizer.parameters, self._clip_norm, foreach=True)
        self._optimizer.move(self._rate, self._number)
        self._loss, self._outputs = loss.detach(), None if outputs is None else outputs.detach()

    def _replay(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        assert self._held is not None and self._again is not None
        for held, new in zip((*self._held.inputs, self._held.labels), (*batch.inputs, batch.labels), strict=True):
            held.copy_(new)
        self._optimizer.num_steps += 1
        self._rate.fill_(learning_rate)
        self._number.fill_(self._optimizer.num_steps)
        self._again()
        assert self._loss is not None
        # Copies, because the next step writes over them before the meter has looked.
        return self._loss.clone(), None if self._outputs is None else self._outputs.clone()

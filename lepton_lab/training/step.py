"""One optimizer update: forward, loss, backward, move."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lepton_lab.training.optimizers import Optimizer
from lepton_lab.training.plan import Plan


class NonFiniteLoss(ArithmeticError):
    """The loss is not a finite number; the update of that step was not made (CPU) or not kept (CUDA)."""


class Step:
    """The update of a run, with all that it needs looked up once.

    Args:
        module: Takes (B, *input_shape), returns scores (B, K).
        optimizer: Moves the module's parameters.
        plan: Precision, label smoothing, gradient clipping.
    """

    def __init__(self, module: nn.Module, optimizer: Optimizer, plan: Plan) -> None:
        self._module, self._optimizer = module, optimizer
        self._label_smoothing, self._clip_norm = plan.label_smoothing, plan.clip_norm
        self._looks_at_loss = plan.device == "cpu"
        self._device, self._autocasts = plan.device, plan.precision == "bfloat16"

    def __call__(
        self, inputs: torch.Tensor, labels: torch.Tensor, learning_rate: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Makes one update and returns the loss () and the scores (B, K) from before it, without their graph.

        Raises:
            NonFiniteLoss: On CPU, where looking costs nothing, before the update; on CUDA the meter tells it later.
        """
        with self._precision():
            scores = self._module(inputs)
            loss = cross_entropy(scores.float(), labels, label_smoothing=self._label_smoothing)
        if self._looks_at_loss and not math.isfinite(loss.item()):
            raise NonFiniteLoss(f"the training loss became {loss.item()}")
        loss.backward()  # type: ignore[no-untyped-call]
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._optimizer.parameters, self._clip_norm, foreach=True)
        self._optimizer.step(learning_rate)
        self._optimizer.zero_grad()
        return loss.detach(), scores.detach()

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device, torch.bfloat16) if self._autocasts else nullcontext()

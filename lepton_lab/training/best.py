"""The best epoch so far: its weights, and how long nothing has been better."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from lepton_lab.training.checkpoints import Tensors, copy_of


class Best:
    """Keeps the weights of the epoch with the best validation metric; equal ones are told apart by the loss.

    Args:
        higher_is_better: Whether a greater metric is the better one.
    """

    def __init__(self, higher_is_better: bool) -> None:
        self._sign = 1 if higher_is_better else -1
        self.epoch = 0
        self.metric, self.loss = -self._sign * math.inf, math.inf
        self.num_epochs_since = 0
        self.weights: Tensors | None = None

    @property
    def known_metric(self) -> float | None:
        """Validation metric of the best epoch; None before the first."""
        return self.metric if self.epoch else None

    def offer(self, epoch: int, metric: float, loss: float, module: nn.Module) -> bool:
        """Looks at an epoch that has ended; True when it is the best so far."""
        if (self._sign * metric, -loss) <= (self._sign * self.metric, -self.loss):
            self.num_epochs_since += 1
            return False
        self.epoch, self.metric, self.loss, self.num_epochs_since = epoch, metric, loss, 0
        self.weights = copy_of(module)
        return True

    def state(self) -> dict[str, Any] | None:
        """Plain values for a checkpoint, without the weights; None before the first epoch has ended."""
        if not self.epoch:
            return None
        return {
            "epoch": self.epoch,
            "metric": self.metric,
            "loss": self.loss,
            "num_epochs_since": self.num_epochs_since,
        }

    def load(self, state: dict[str, Any] | None, weights: Tensors | None) -> None:
        """Takes back what `state` gave."""
        if state is not None:
            self.epoch, self.num_epochs_since = state["epoch"], state["num_epochs_since"]
            self.metric, self.loss, self.weights = state["metric"], state["loss"], weights

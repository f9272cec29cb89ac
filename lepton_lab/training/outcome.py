"""How training ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from lepton_lab.training.plan import Plan


@dataclass(frozen=True)
class Outcome:
    """How training ended.

    Attributes:
        state: "finished" or "stopped".
        module: The network; with its best weights when finished.
        plan: How it was trained.
        step: Steps done.
        epoch: Epochs done, with the fraction of the open one.
        metric: Name of the figure that epochs are judged by.
        best_val_metric: Of the best epoch; None without a validation part or before the first epoch ended.
        seconds: Training time, pauses left out, restarts added up.
    """

    state: Literal["finished", "stopped"]
    module: nn.Module
    plan: Plan
    step: int
    epoch: float
    metric: str
    best_val_metric: float | None
    seconds: float

"""What all forecasts share: they are made relative to the last values that are known.

Shape suffixes: B rows, L known steps, H steps ahead, F series, G series that are forecast.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from lepton_lab.errors import ModelError
from lepton_lab.specs import Problem


def forecast_columns(problem: Problem) -> list[int]:
    """Which columns of a step are forecast: `extra["targets"]`, else all, else the last ones.

    Raises:
        ModelError: More series are to be forecast than a step has.
    """
    known, wanted = problem.input_shape[-1], problem.output_shape[-1]
    columns = [int(column) for column in problem.extra.get("targets", range(known - wanted, known))]
    if len(columns) != wanted or not all(0 <= column < known for column in columns):
        raise ModelError(
            f"This problem asks for a forecast of {wanted} series from steps of {known} columns, "
            f"of which it names {columns}; expected {wanted} columns between 0 and {known - 1}."
        )
    return columns


def units(problem: Problem) -> tuple[Tensor, Tensor]:
    """How a forecast is written where a window is scaled in another way: `window * scale + shift`, (G,) and (G,).

    `extra` names both as "label_scale" and "label_shift"; without them windows and forecasts are in the same units.
    """
    wanted = problem.output_shape[-1]
    scale = torch.tensor(problem.extra.get("label_scale") or [1.0] * wanted, dtype=torch.float32)
    shift = torch.tensor(problem.extra.get("label_shift") or [0.0] * wanted, dtype=torch.float32)
    return scale, shift


def as_rows(problem: Problem) -> Problem:
    """The problem of a network inside a `Forecaster`: sequences in, all steps ahead as one row of numbers out."""
    num_ahead, num_series = problem.output_shape
    return replace(problem, task="regression", modality="sequence", output_shape=(num_ahead * num_series,))


class Forecaster(nn.Module):
    """A network for sequences as one for forecasts: it sees a window less its last values, they are added again.

    Args:
        network: Takes (B, L, F), returns (B, H * G).
        problem: Windows (L, F) and forecasts (H, G).
    """

    targets: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, problem: Problem) -> None:
        super().__init__()
        self.network = network
        self.learning_rates: dict[str, float] = getattr(network, "learning_rates", {})
        self.training_defaults: dict[str, float] = getattr(network, "training_defaults", {})
        self.num_ahead, self.num_series = problem.output_shape
        self.register_buffer("targets", torch.tensor(forecast_columns(problem)), persistent=False)
        scale, shift = units(problem)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, windows_BLF: Tensor) -> Tensor:
        """Forecasts (B, H, G), in the units of the labels, of windows (B, L, F)."""
        last_B1F = windows_BLF[:, -1:, :]
        ahead = self.network(windows_BLF - last_B1F).unflatten(1, (self.num_ahead, self.num_series))
        forecasts_BHG: Tensor = ahead + last_B1F.index_select(2, self.targets) * self.scale + self.shift
        return forecasts_BHG

"""Forecasts by two linear maps: one of the trend, one of what is left of a series without it.

After Zeng et al. 2023 (https://arxiv.org/abs/2205.13504); hard to beat, and the baseline for every other network.

Shape suffixes: B rows, L known steps, H steps ahead, F series, G series that are forecast.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, pad

from lepton_lab.models.forecast import forecast_columns, units
from lepton_lab.specs import LinearOptions, Problem

LEAST_SPREAD = 0.1
"""In units of the labels, of which the training part's deviation is 1: windows that move less count as if they moved so
much, as a still one would outweigh all others."""


class Linear(nn.Module):
    """Moving average and rest of each series, each mapped from L to H steps; all series share the maps.

    Args:
        problem: Windows (L, F) and forecasts (H, G).
        options: Length of the moving average.
    """

    learning_rates: ClassVar[dict[str, float]] = {"adamw": 1e-3, "adam": 1e-3, "sgd": 0.02}
    """Peak learning rates that suit this network, by optimizer."""

    targets: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, problem: Problem, options: LinearOptions) -> None:
        super().__init__()
        num_known, num_ahead = problem.input_shape[0], problem.output_shape[0]
        self.average = min(options.average, num_known)
        self.trend, self.rest = nn.Linear(num_known, num_ahead), nn.Linear(num_known, num_ahead)
        for layer in (self.trend, self.rest):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.register_buffer("targets", torch.tensor(forecast_columns(problem)), persistent=False)
        scale, shift = units(problem)
        self.register_buffer("scale", scale[:, None], persistent=False)
        self.register_buffer("shift", shift[:, None], persistent=False)

    def forward(self, windows_BLF: Tensor) -> Tensor:
        """Forecasts (B, H, G) of windows (B, L, F), in the units of the labels; untrained, the last value goes on."""
        known_BGL = windows_BLF.index_select(2, self.targets).transpose(1, 2) * self.scale + self.shift
        last_BG1 = known_BGL[:, :, -1:]
        known_BGL = known_BGL - last_BG1
        before = (self.average - 1) // 2
        trend_BGL = avg_pool1d(pad(known_BGL, (before, self.average - 1 - before), "replicate"), self.average, 1)
        ahead_BGH = self.trend(trend_BGL) + self.rest(known_BGL - trend_BGL)
        forecasts_BHG: Tensor = (ahead_BGH + last_BG1).transpose(1, 2)
        return self._weighed(forecasts_BHG, known_BGL) if self.training else forecasts_BHG

    def _weighed(self, forecasts_BHG: Tensor, known_BGL: Tensor) -> Tensor:
        """The same forecasts, whose errors pull at the weights in units of how much each window moves.

        Restless windows have the largest errors, and calm ones as much to teach.
        """
        spread_BG = known_BGL.std(2, correction=0).clamp(min=LEAST_SPREAD)
        pull_B1G = spread_BG.square().reciprocal()[:, None, :]
        fixed_BHG = forecasts_BHG.detach()
        return fixed_BHG + (forecasts_BHG - fixed_BHG) * (pull_B1G / pull_B1G.mean())

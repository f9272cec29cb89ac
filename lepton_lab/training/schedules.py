"""How the learning rate moves during a run, as pure functions of the step."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

WARM_UP_FRACTION = 0.2
"""Share of a one-cycle run that climbs to the peak (Smith and Topin 2018, https://arxiv.org/abs/1708.07120)."""

START_FRACTION = 0.1
"""Where the climb starts, as a share of the peak."""


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each step.

    Attributes:
        kind: one_cycle (up, then down to nearly nothing), cosine (down) or constant.
        peak: Highest learning rate.
        first_step: Step at which this schedule took over.
        num_steps: Steps of the whole run.
    """

    kind: Literal["one_cycle", "cosine", "constant"]
    peak: float
    first_step: int
    num_steps: int

    def at(self, step: int) -> float:
        """The learning rate of a step; steps count from 0."""
        span = max(1, self.num_steps - self.first_step)
        done = min(step - self.first_step, span)
        if self.kind == "constant":
            return self.peak
        if self.kind == "cosine":
            return self.peak * _cosine(done / span)
        warm = max(1, round(WARM_UP_FRACTION * span))
        if done < warm:
            return self.peak * (START_FRACTION + (1 - START_FRACTION) * done / warm)
        return self.peak * _cosine((done - warm) / max(1, span - warm))

    def changed(self, step: int, learning_rate: float) -> Schedule:
        """The schedule after a person set the learning rate: that value now, then only the falling part of the way."""
        kind: Literal["cosine", "constant"] = "constant" if self.kind == "constant" else "cosine"
        return Schedule(kind, learning_rate, step, self.num_steps)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `Schedule(**values)` builds it again."""
        return asdict(self)


def _cosine(fraction: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * fraction))

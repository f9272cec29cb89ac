"""How the learning rate moves during a run, as pure functions of the step."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from lepton_lab.specs.train import ScheduleName

WARM_UP_FRACTION = 0.2
"""Share of a one-cycle run that climbs to the peak (Smith and Topin 2018, https://arxiv.org/abs/1708.07120)."""

START_FRACTION = 0.1
"""Where the climb starts, as a share of the peak."""

WARM_UP_ALONE_FRACTION = 0.05
"""Share of a warm_up run that climbs; the peak then stays."""

DROP, DROPS_AT = 0.1, (0.5, 0.75)
"""A step schedule falls to a tenth at these shares of the run (He et al. 2015, https://arxiv.org/abs/1512.03385)."""

PLATEAU_DROP, PLATEAU_EPOCHS = 0.5, 3
"""A plateau schedule halves the rate when so many epochs have brought nothing better."""


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each step.

    Attributes:
        kind: one_cycle (up, then down to nearly nothing), cosine (down), step (down twice to a tenth), warm_up (up,
            then level), plateau (level, halved by the loop when nothing gets better) or constant.
        peak: Highest learning rate.
        first_step: Step at which this schedule took over.
        num_steps: Steps of the whole run.
    """

    kind: ScheduleName
    peak: float
    first_step: int
    num_steps: int

    def at(self, step: int) -> float:
        """The learning rate of a step; steps count from 0."""
        span = max(1, self.num_steps - self.first_step)
        done = min(step - self.first_step, span)
        if self.kind in ("constant", "plateau"):
            return self.peak
        if self.kind == "cosine":
            return self.peak * _cosine(done / span)
        if self.kind == "step":
            return self.peak * DROP ** sum(done >= share * span for share in DROPS_AT)
        warm = max(1, round((WARM_UP_FRACTION if self.kind == "one_cycle" else WARM_UP_ALONE_FRACTION) * span))
        if done < warm:
            return self.peak * (START_FRACTION + (1 - START_FRACTION) * done / warm)
        if self.kind == "warm_up":
            return self.peak
        return self.peak * _cosine((done - warm) / max(1, span - warm))

    def changed(self, step: int, learning_rate: float) -> Schedule:
        """The schedule after a person set the learning rate: that value now, then only the falling part of the way."""
        falls: dict[ScheduleName, ScheduleName] = {"one_cycle": "cosine", "warm_up": "constant"}
        return Schedule(falls.get(self.kind, self.kind), learning_rate, step, self.num_steps)

    def lowered(self) -> Schedule:
        """The schedule after a plateau."""
        return Schedule(self.kind, self.peak * PLATEAU_DROP, self.first_step, self.num_steps)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `Schedule(**values)` builds it again."""
        return asdict(self)


def _cosine(fraction: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * fraction))

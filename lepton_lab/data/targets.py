"""How answers are written for a network and read back: the same code in the worker and in the inference server.

`Target.apply` turns labels as they are stored into what a loss compares with, `Target.restore` turns a network's
outputs back into the units of the source. Class numbers and tokens pass as they are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Target:
    """What stands in a dataset's labels.

    Attributes:
        task: A name of `specs.TASKS`.
        names: Names of the classes, of the targets, or of the series that are forecast.
        mean: Regression, rating, forecasting: mean of each target over the training part.
        std: Its standard deviation, never 0.
        low: Least value that makes sense, where one is known (a rating of 1).
        high: Greatest such value.
    """

    task: str
    names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def is_scaled(self) -> bool:
        """Whether labels are numbers that are scaled for training."""
        return bool(self.mean)

    def apply(self, labels: np.ndarray) -> np.ndarray:
        """Labels as a loss takes them.

        Args:
            labels: As stored: class numbers or tokens (int64), 0 and 1 (float32), or numbers in the source's units
                whose last axis, or the only target, is scaled by `mean` and `std`.

        Returns:
            int64 as it came, or float32 of the same shape.
        """
        labels = np.asarray(labels)
        if not self.is_scaled:
            return labels
        scaled: np.ndarray = (labels.astype(np.float64) - self._mean(labels)) / self._std(labels)
        return scaled.astype(np.float32)

    def restore(self, outputs: np.ndarray) -> np.ndarray:
        """A network's outputs in the source's units, float64; outputs of other tasks as they came."""
        outputs = np.asarray(outputs)
        if not self.is_scaled:
            return outputs
        restored: np.ndarray = outputs.astype(np.float64) * self._std(outputs) + self._mean(outputs)
        if self.low is None and self.high is None:
            return restored
        clipped: np.ndarray = np.clip(restored, self.low, self.high)
        return clipped

    def _mean(self, values: np.ndarray) -> np.ndarray:
        mean: np.ndarray = np.asarray(self.mean if len(self.mean) > 1 or values.ndim > 1 else self.mean[0], np.float64)
        return mean

    def _std(self, values: np.ndarray) -> np.ndarray:
        std: np.ndarray = np.asarray(self.std if len(self.std) > 1 or values.ndim > 1 else self.std[0], np.float64)
        return std

    def to_dict(self) -> dict[str, Any]:
        """The target as plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Target:
        """Builds a target from `to_dict()`."""
        plain: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in values.items()}
        return cls(**plain)


def fit_target(task: str, train_labels: np.ndarray, names: tuple[str, ...] = (), **bounds: float | None) -> Target:
    """A target whose scaling comes from the training part alone.

    Args:
        task: A name of `specs.TASKS`.
        train_labels: Labels of the training part, (N,) or with the targets on the last axis.
        names: Names of the classes, targets or series.
        **bounds: `low` and `high`.
    """
    if task not in ("regression", "rating", "forecasting"):
        return Target(task, names)
    values = np.asarray(train_labels, np.float64)
    values = values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
    std = values.std(axis=0)
    std[std == 0] = 1.0
    return Target(task, names, tuple(values.mean(axis=0).tolist()), tuple(std.tolist()), **bounds)

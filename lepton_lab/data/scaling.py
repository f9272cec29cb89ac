"""Offset and divisor of columns of numbers."""

from __future__ import annotations

import numpy as np


def fit_scale(values_NF: np.ndarray, normalize: str) -> tuple[np.ndarray, np.ndarray]:
    """Offset and divisor of each column, in float64; a column that never changes is only shifted.

    Args:
        values_NF: Numbers without NaN.
        normalize: "auto" and "standard": mean 0, standard deviation 1; "minmax": 0 to 1; "none": as they are.
    """
    features = values_NF.shape[1]
    if normalize == "none" or not len(values_NF):
        return np.zeros(features), np.ones(features)
    if normalize == "minmax":
        offset = values_NF.min(axis=0).astype(np.float64)
        divisor = values_NF.max(axis=0).astype(np.float64) - offset
    else:
        offset = values_NF.mean(axis=0, dtype=np.float64)
        divisor = values_NF.std(axis=0, dtype=np.float64)
    return offset, np.where(divisor > 0, divisor, 1.0)

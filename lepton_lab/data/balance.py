"""Training rows chosen anew: classes of unequal size made equal."""

from __future__ import annotations

import numpy as np


def balanced(rows: np.ndarray, classes: np.ndarray, how: str, seed: int) -> np.ndarray:
    """Training rows in which every class has as many rows.

    Args:
        rows: Rows of the training part (M,).
        classes: Class numbers of all rows (N,).
        how: "oversample" repeats rows of smaller classes until they have as many as the largest; "undersample" leaves
            out rows of larger classes until they have as few as the smallest.
        seed: Decides the draw.

    Returns:
        Row numbers, ascending, some more than once when oversampled.
    """
    if how == "none" or not len(rows):
        return rows
    generator = np.random.Generator(np.random.PCG64(seed))
    found, counts = np.unique(classes[rows], return_counts=True)
    wanted = int(counts.max() if how == "oversample" else counts.min())
    chosen = []
    for value, count in zip(found, counts.tolist(), strict=True):
        members = generator.permutation(rows[classes[rows] == value])
        chosen.append(np.resize(members, wanted) if count < wanted else members[:wanted])
    return np.sort(np.concatenate(chosen))

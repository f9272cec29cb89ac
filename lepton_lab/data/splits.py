"""Which rows train, which ones watch the progress, and which ones are kept for the final test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SPLIT_NAMES = ("train", "validation", "test")


def split_rows(
    labels: np.ndarray,
    *,
    official: Mapping[str, np.ndarray] | None,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> dict[str, np.ndarray]:
    """Divides rows by class, so that each part has the classes in the same shares.

    A part that the source has of its own ("test", "validation") is kept as it is. A class with a single row
    trains: it cannot be in two parts.

    Args:
        labels: Class numbers (N,).
        official: Row numbers of the source's own parts; None when it has none.
        validation_fraction: Share of the training rows (after the test part was taken away).
        test_fraction: Share of all rows, where the source has no test part.
        seed: Decides the draw; the same seed and labels give the same parts.

    Returns:
        Row numbers of "train", "validation" and "test", each ascending.
    """
    official = dict(official or {})
    rows = official.get("train", np.arange(len(labels)))
    generator = np.random.Generator(np.random.PCG64(seed))
    parts: dict[str, np.ndarray] = {}
    for name, fraction in (("test", test_fraction), ("validation", validation_fraction)):
        if name in official:
            parts[name] = official[name]
        else:
            rows, parts[name] = _draw(rows, labels, fraction, generator)
    return {"train": np.sort(rows), **{name: np.sort(parts[name]) for name in ("validation", "test")}}


def _draw(
    rows: np.ndarray, labels: np.ndarray, fraction: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Takes a share of the rows, class by class; returns what stays and what was taken."""
    keys = generator.random(len(rows))
    classes, counts = np.unique(labels[rows], return_counts=True)
    taken = np.zeros(len(rows), dtype=bool)
    for value, quota in zip(classes, _quotas(counts, fraction), strict=True):
        members = np.flatnonzero(labels[rows] == value)
        taken[members[np.argsort(keys[members], kind="stable")[:quota]]] = True
    return rows[~taken], rows[taken]


def _quotas(counts: np.ndarray, fraction: float) -> np.ndarray:
    """How many rows each class gives, so that the total is right and no class is emptied (largest remainder)."""
    wanted = counts * fraction
    quotas = np.floor(wanted).astype(np.int64)
    missing = round(float(counts.sum()) * fraction) - int(quotas.sum())
    order = np.argsort(-(wanted - quotas), kind="stable")
    quotas[order[:missing]] += 1
    allowed: np.ndarray = np.minimum(quotas, counts - 1)
    return allowed

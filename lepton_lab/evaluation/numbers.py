"""Figures of answers that are numbers: values, ratings, forecasts.

Shape suffixes: N rows, K targets, H steps ahead, F series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.data.rows import Windows

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset
    from lepton_lab.training.objective import Scores

NUM_WORST = 24
ROWS_PER_CHUNK = 1024


def of_numbers(scores: Scores, dataset: PreparedDataset, split: str) -> dict[str, Any]:
    """Errors in the source's units over all targets and for each, and the rows with the largest."""
    truths = np.asarray(dataset.splits[split].labels, np.float64)
    said = dataset.target.restore(scores.outputs.numpy()).reshape(truths.shape)
    truths_NK, said_NK = truths.reshape(len(truths), -1), said.reshape(len(truths), -1)
    names = dataset.target.names or tuple(dataset.classes) or tuple(f"target {k + 1}" for k in range(said_NK.shape[1]))
    targets = [
        {"name": name, **_errors(truths_NK[:, k], said_NK[:, k])}
        for k, name in zip(range(said_NK.shape[1]), names, strict=False)
    ]
    whole = {key: float(np.mean([each[key] for each in targets])) for key in ("mae", "rmse", "r2")}
    return {**whole, "targets": targets, "worst": _worst(truths_NK, said_NK, dataset)}


def of_forecasts(scores: Scores, dataset: PreparedDataset, split: str) -> dict[str, Any]:
    """Errors on the scaled series, as the field compares them, for each step ahead, and in units for each series."""
    labels = dataset.splits[split].labels
    said_NHF = scores.outputs.numpy()
    horizon, width = said_NHF.shape[1:]
    squares_HF, absolutes_HF, in_units_F = np.zeros((horizon, width)), np.zeros((horizon, width)), np.zeros(width)
    for start in range(0, len(said_NHF), ROWS_PER_CHUNK):
        rows = np.arange(start, min(start + ROWS_PER_CHUNK, len(said_NHF)))
        truths_NHF = labels.take(rows) if isinstance(labels, Windows) else np.asarray(labels[rows])
        truths_NHF = np.asarray(truths_NHF).reshape(len(rows), horizon, width)
        off = said_NHF[rows].astype(np.float64) - dataset.target.apply(truths_NHF)
        squares_HF += (off**2).sum(0)
        absolutes_HF += np.abs(off).sum(0)
        in_units_F += np.abs(dataset.target.restore(said_NHF[rows]) - truths_NHF).sum((0, 1))
    num_rows = len(said_NHF)
    squares_HF, absolutes_HF, in_units_F = squares_HF / num_rows, absolutes_HF / num_rows, in_units_F / num_rows
    names = dataset.target.names or tuple(f"series {k + 1}" for k in range(width))
    return {
        "mse": float(squares_HF.mean()),
        "mae": float(absolutes_HF.mean()),
        "horizon": [
            {"step": h + 1, "mse": float(squares_HF[h].mean()), "mae": float(absolutes_HF[h].mean())}
            for h in range(horizon)
        ],
        "targets": [
            {
                "name": name,
                "mse": float(squares_HF[:, k].mean()),
                "mae_units": float(in_units_F[k] / horizon),
            }
            for k, name in zip(range(width), names, strict=False)
        ],
    }


def _errors(truths_N: np.ndarray, said_N: np.ndarray) -> dict[str, float]:
    off = said_N - truths_N
    spread = float(((truths_N - truths_N.mean()) ** 2).sum())
    return {
        "mae": float(np.abs(off).mean()),
        "rmse": float(np.sqrt((off**2).mean())),
        "r2": float(1 - (off**2).sum() / spread) if spread > 0 else 0.0,
    }


def _worst(truths_NK: np.ndarray, said_NK: np.ndarray, dataset: PreparedDataset) -> list[dict[str, Any]]:
    """The rows that are furthest off, measured in standard deviations of each target."""
    std = np.asarray(dataset.target.std or (1.0,), np.float64)
    off_N = np.abs((said_NK - truths_NK) / std).mean(1)
    worst = np.argsort(-off_N, kind="stable")[:NUM_WORST]
    return [{"row": int(i), "truth": _plain(truths_NK[i]), "prediction": _plain(said_NK[i])} for i in worst]


def _plain(values_K: np.ndarray) -> float | list[float]:
    """One number as itself, several as a list."""
    numbers = [float(f"{value:.6g}") for value in values_K]
    return numbers[0] if len(numbers) == 1 else numbers

"""Drift: whether what an endpoint is asked, and what it answers, still looks like what its network was trained on.

The bundle carries a reference from held-out rows: mean and spread of a few figures of each row (of a table, of each
column), and the shares of the classes that the network predicts. The server keeps running sums of the same figures.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from lepton_lab.serving.engine import Inputs

LEAST_ROWS = 100
"""With fewer rows nothing can be said."""
FAR = 0.5
"""Means that differ by more than half of training's spread count as drift."""
SHIFTED = 0.15
"""Shares that differ by more than this in all, beyond what chance explains, count as drift."""
ALL_ROWS = 1_000
EVERY = 16
"""Beyond the first 1,000 rows every 16th request is looked at."""
MAX_CLASSES = 1000
MAX_COLUMNS = 256


def figures_of(inputs: Inputs) -> np.ndarray:
    """What is compared of each row (N, F): the columns of a table, else mean, spread, least and greatest value."""
    rows = np.asarray(inputs[0], np.float64)
    if rows.ndim == 2 and rows.shape[1] <= MAX_COLUMNS and len(inputs) == 1:
        return rows
    flat = rows.reshape(len(rows), -1)
    if len(inputs) > 1:
        return np.stack([inputs[1].astype(np.float64), flat.mean(1), flat.max(1)], 1)
    return np.stack([flat.mean(1), flat.std(1), flat.min(1), flat.max(1)], 1)


def reference(inputs: Inputs, answers: np.ndarray) -> dict[str, Any]:
    """What a bundle keeps for later comparison.

    Args:
        inputs: Held-out rows, prepared.
        answers: What the network says to them.
    """
    figures = figures_of(inputs)
    shares = _shares(answers)
    return {
        "rows": len(figures),
        "mean": [float(f"{value:.6g}") for value in figures.mean(0)],
        "std": [float(f"{value:.6g}") for value in figures.std(0)],
        "shares": None if shares is None else [round(float(share), 5) for share in shares / max(1.0, shares.sum())],
    }


def _shares(answers: np.ndarray) -> np.ndarray | None:
    """How often each class is the best one; None for answers that are no classes."""
    if answers.ndim != 2 or not 2 <= answers.shape[1] <= MAX_CLASSES:
        return None
    return np.bincount(answers.argmax(1), minlength=answers.shape[1]).astype(np.float64)


def _plain(sums: np.ndarray | None) -> list[float] | None:
    return None if sums is None else [float(each) for each in sums]


def _added(mine: np.ndarray | None, theirs: list[float] | None) -> np.ndarray | None:
    if theirs is None:
        return mine
    return np.asarray(theirs, np.float64) if mine is None else mine + np.asarray(theirs, np.float64)


class Drift:
    """Running sums of one version.

    Args:
        kept: The bundle's reference; None where it has none.
        classes: Names of the classes.
        names: Names of the columns, for a table.
    """

    def __init__(self, kept: dict[str, Any] | None, classes: tuple[str, ...], names: list[str]) -> None:
        self._kept, self._classes, self._names = kept, classes, names
        self._sum: np.ndarray | None = None
        self._counts: np.ndarray | None = None
        self.num_rows = 0
        self._num_requests = 0

    def observe(self, inputs: Inputs, answers: np.ndarray) -> None:
        """Adds a request."""
        self._num_requests += 1
        if self._kept is None or (self.num_rows > ALL_ROWS and self._num_requests % EVERY):
            return
        figures = figures_of(inputs)
        if figures.shape[1] != len(self._kept["mean"]):
            return
        self._sum = figures.sum(0) if self._sum is None else self._sum + figures.sum(0)
        shares = _shares(answers)
        if shares is not None and self._kept["shares"] is not None and len(shares) == len(self._kept["shares"]):
            self._counts = shares if self._counts is None else self._counts + shares
        self.num_rows += len(figures)

    def sums(self) -> dict[str, Any]:
        """The running sums as plain values, ready for JSON; `joined` takes them."""
        plain = {"sum": self._sum, "counts": self._counts}
        return {
            "rows": self.num_rows,
            **{name: None if each is None else each.tolist() for name, each in plain.items()},
        }

    def joined(self, others: Iterable[dict[str, Any]]) -> Drift:
        """These sums and those of the endpoint's other processes, as their `sums` gives them."""
        total = copy.copy(self)
        for other in others:
            total.num_rows += int(other["rows"])
            total._sum, total._counts = _added(total._sum, other["sum"]), _added(total._counts, other["counts"])
        return total

    def report(self) -> dict[str, Any]:
        """The comparison: rows, distances, and a warning in plain words (None where there is nothing to say)."""
        if self._kept is None or self._sum is None or self.num_rows < LEAST_ROWS:
            return {"rows": self.num_rows, "warning": None}
        away = self._distances()
        shift, loudest = self._shift()
        said = [text for text in (self._said_of_inputs(away), loudest) if text]
        warning = " ".join(["What comes in differs from training.", *said]) if said else None
        far = float(np.abs(away).max(initial=0.0))
        return {"rows": self.num_rows, "inputs": round(far, 4), "predictions": round(shift, 4), "warning": warning}

    def _distances(self) -> np.ndarray:
        """How far each figure's mean is from training's, in training's spreads (F,)."""
        kept = self._kept or {}
        mean, std = (np.asarray(kept[name], np.float64) for name in ("mean", "std"))
        live = (self._sum if self._sum is not None else mean) / max(1, self.num_rows)
        floor = np.maximum(std, 1e-6 * np.maximum(1.0, np.abs(mean)))
        distances: np.ndarray = (live - mean) / floor
        return distances

    def _said_of_inputs(self, away: np.ndarray) -> str:
        """The figure that has moved most, in words."""
        worst = int(np.abs(away).argmax()) if len(away) else 0
        if not len(away) or abs(away[worst]) <= FAR:
            return ""
        named = len(self._names) == len(away)
        what = f"The column {self._names[worst]}" if named else "The values" if len(away) == 4 else "The rows"
        direction = "higher" if away[worst] > 0 else "lower"
        return f"{what} are on average {abs(away[worst]):.1f} standard deviations {direction} than in training."

    def _shift(self) -> tuple[float, str]:
        """How much the shares of the predictions have moved, and the class that moved most, in words."""
        kept = (self._kept or {}).get("shares")
        if self._counts is None or kept is None:
            return 0.0, ""
        live, trained = self._counts / self._counts.sum(), np.asarray(kept)
        shift = float(np.abs(live - trained).sum() / 2)
        chance = 0.4 * math.sqrt(len(trained) / self._counts.sum())
        if shift <= SHIFTED + chance:
            return shift, ""
        worst = int(np.abs(live - trained).argmax())
        name = self._classes[worst] if worst < len(self._classes) else str(worst)
        return shift, f"{name!r} is {live[worst]:.0%} of the answers; it was {trained[worst]:.0%}."

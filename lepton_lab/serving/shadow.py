"""Shadow traffic: a version on trial gets a copy of each request; its answers are compared, never sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from lepton_lab.serving.batcher import Answer
from lepton_lab.serving.engine import Inputs
from lepton_lab.serving.metrics import Metrics

if TYPE_CHECKING:
    from lepton_lab.serving.host import Served

MAX_WAITING = 64
"""Copies that may wait; more are left out, so that a slow shadow costs the others nothing."""
CLOSE = 0.01


class Shadows:
    """Sends copies and counts how they compare.

    Args:
        metrics: Where "agrees", "differs", "failed" and "left out" are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._counts = metrics.shadow
        self._waiting = 0

    def send(self, shadow: Served, inputs: Inputs, scores: np.ndarray) -> None:
        """Runs a copy of a request in the background.

        Args:
            shadow: The version on trial.
            inputs: What the active version was given.
            scores: What it answered.
        """
        if self._waiting >= MAX_WAITING:
            self._counts["left out"] += 1
            return
        self._waiting += 1

        def compare(answer: asyncio.Future[Answer]) -> None:
            self._waiting -= 1
            if answer.cancelled() or answer.exception() is not None:
                self._counts["failed"] += 1
            else:
                self._counts["agrees" if agree(answer.result().scores, scores) else "differs"] += 1

        shadow.batcher.submit(inputs).add_done_callback(compare)


def agree(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two versions say the same of all rows: the same best class, or numbers within one percent."""
    if first.shape != second.shape:
        return False
    if first.ndim == 2 and first.shape[1] > 1:
        return bool((first.argmax(1) == second.argmax(1)).all())
    return bool(np.isclose(first, second, rtol=CLOSE, atol=CLOSE).all())

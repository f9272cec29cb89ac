"""The ends of epochs in a run's record: each at once while a run is young, several in one event when it has grown old.

A run of a day may have a hundred thousand epochs. What `EpochEnded` says of the ones before it stands in `earlier`, as
arrays; `runs.lines.epochs_of` takes them apart. What is held back is written before each checkpoint, so that a run
which goes on from there has all that was before.
"""

from __future__ import annotations

from typing import Any

from lepton_lab.training.progress import Events

SAMPLES_PACE = 12.0
"""Sample predictions, which are for looking at alone, are written at most once in so many times that."""


class EpochLog:
    """Writes `EpochEnded` and `SamplesPredicted`.

    Args:
        events: Where to.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._held: list[dict[str, Any]] = []
        self._samples: list[dict[str, Any]] = []
        self._written = self._shown = float("-inf")

    def add(self, now: float, pace_seconds: float, samples: list[dict[str, Any]], **figures: Any) -> None:
        """Takes an epoch's figures and sample predictions; writes them, or holds them back for a while.

        Args:
            now: Seconds, monotonic.
            pace_seconds: How far apart events are at this age of the run.
            samples: What the network says of some rows.
            figures: What `EpochEnded` says.
        """
        self._held.append(figures)
        self._samples = samples
        if now - self._written >= pace_seconds:
            self._written = now
            self.flush()
        if now - self._shown >= SAMPLES_PACE * pace_seconds:
            self._shown = now
            self._show()

    def finish(self) -> None:
        """Writes all that is held back; the run has ended."""
        self.flush()
        self._show()

    def flush(self) -> None:
        """Writes what is held back."""
        if not self._held:
            return
        *earlier, last = self._held
        more = {"earlier": {name: [each.get(name) for each in earlier] for name in last}} if earlier else {}
        self._events.append("EpochEnded", **last, **more)
        self._held.clear()

    def _show(self) -> None:
        if self._samples:
            self._events.append("SamplesPredicted", samples=self._samples)
            self._samples = []

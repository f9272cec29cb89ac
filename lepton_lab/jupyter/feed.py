"""One run as the browser sees it: followed event by event, shared by all who watch it."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import Any

from lepton_lab.errors import StoreError
from lepton_lab.runs.curve import Curve
from lepton_lab.runs.events import EventTail
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.states import RunState

QUEUE_SECONDS = 1.0
"""Time between two looks at the place of a waiting run."""


def curve_json(store: Store, run_id: str) -> dict[str, Any]:
    """The whole curve as plain values; a value that is not finite is null.

    Returns:
        `{"run_id", "seq", "summary", "marks", "series": {name: {"epoch": [...], "value": [...]}}}`.

    Raises:
        UnknownName: If there is no such run.
        StoreError: If its record cannot be read.
    """
    curve = RunRecord.find(store, run_id).curve()
    series = {
        name: {"epoch": list(points.x), "value": [value if math.isfinite(value) else None for value in points.y]}
        for name, points in curve.series.items()
    }
    summary = curve.summary().to_dict()
    return {"run_id": run_id, "seq": curve.seq, "summary": summary, "marks": curve.marks, "series": series}


class RunFeed:
    """A run's curve in memory, kept up to date by the hub's looks. Its methods may be called from any thread.

    Args:
        store: The run store.
        run_id: The run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.watchers: set[asyncio.Event] = set()
        self._run = RunRecord(store, run_id)
        self._tail = EventTail(self._run.dir)
        self._curve = Curve(run_id)
        self._lock = threading.Lock()
        self._trouble: str | None = None
        self._queue_due = 0.0

    def refresh(self) -> bool:
        """Takes in what was appended to the run's events; whether there was anything new to show."""
        with self._lock:
            return self._refresh()

    def frame(self, since: dict[str, int] | None) -> tuple[dict[str, Any], bytes]:
        """A frame for a client that has the points counted in `since` (None: it has nothing); see `Curve.frame`."""
        with self._lock:
            self._refresh()
            header, numbers = self._curve.frame(since)
            if self._trouble:
                header["summary"] |= {"state": "failed", "reason": "unreadable", "message": self._trouble}
            return header, numbers

    def _refresh(self) -> bool:
        before = (self._trouble, self._curve.seq, self._curve.queue_position)
        try:
            for event in self._tail.read():
                self._apply(event)
            self._trouble = None if self._curve.seq else self._run.summary().message
        except StoreError as error:
            self._trouble = str(error)
        self._look_at_queue()
        return before != (self._trouble, self._curve.seq, self._curve.queue_position)

    def _apply(self, event: dict[str, Any]) -> None:
        try:
            self._curve.apply(event)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError):
            return  # an event that a newer version or a foreign hand wrote: the rest is still worth showing

    def _look_at_queue(self) -> None:
        if self._curve.fold.state is not RunState.queued:
            self._curve.queue_position = None
        elif time.monotonic() >= self._queue_due:
            self._queue_due = time.monotonic() + QUEUE_SECONDS
            self._curve.queue_position = self._run.summary().queue_position

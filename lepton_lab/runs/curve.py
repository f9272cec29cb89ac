"""A run's curves, folded from its events, and the frames that viewers are fed with."""

from __future__ import annotations

import itertools
import math
import operator
import sys
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, cast

from lepton_lab.runs.lines import Event, epochs_of
from lepton_lab.runs.marks import cut_mark, mark_of, page_mark
from lepton_lab.runs.summary import Fold, RunSummary


class Series:
    """One curve: epochs (fractional) and values, in the order of their steps. A missing value is NaN."""

    def __init__(self) -> None:
        self.x, self.y, self.steps = array("d"), array("d"), array("q")

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, step: int, epoch: float, value: float | None) -> None:
        """Appends a point; one at or before the last step is a repetition and left out."""
        if self.steps and step <= self.steps[-1]:
            return
        self.steps.append(step)
        self.x.append(epoch)
        self.y.append(math.nan if value is None else value)

    def extend(self, steps: Sequence[int], epochs_per_step: float, values: Sequence[float | None]) -> None:
        """Appends many points; as `add` does for each, but a thousand at once where they are in order."""
        is_in_order = len(steps) == len(values) and all(map(operator.lt, steps, itertools.islice(steps, 1, None)))
        if is_in_order and steps and (not self.steps or steps[0] > self.steps[-1]):
            try:
                new_steps, new_values = array("q", steps), array("d", cast("Sequence[float]", values))
            except TypeError:  # a missing value, or something that is no number
                pass
            else:
                self.steps += new_steps
                self.y += new_values
                self.x.extend([step * epochs_per_step for step in steps])
                return
        for step, value in zip(steps, values, strict=False):
            self.add(step, step * epochs_per_step, value)

    def truncate(self, step: int) -> None:
        """Drops the points after a step."""
        keep = bisect_right(self.steps, step)
        del self.steps[keep:], self.x[keep:], self.y[keep:]

    def tail(self, start: int) -> bytes:
        """The points from an index on: all epochs, then all values, as little-endian float64."""
        x, y = self.x[start:], self.y[start:]
        if sys.byteorder == "big":
            x.byteswap()
            y.byteswap()
        return x.tobytes() + y.tobytes()


AT_EPOCHS = "val_"
"""How the names of the curves begin that have a point at the end of each epoch."""


class Curve:
    """All curves of a run, in memory: feed it each event once, in order.

    Args:
        run_id: The run's name.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.fold = Fold(run_id)
        self.series: dict[str, Series] = {}
        self.marks: list[dict[str, Any]] = []
        """What happened on the way: `{step, epoch, text, kind}`."""
        self.queue_position: int | None = None
        """Set from outside, because the queue is not in the events."""
        self._cuts: list[tuple[int, dict[str, int]]] = []
        self._of_steps: set[str] = set()
        """Series that steps tell; an epoch's training figure is a point of the curve only where they do not."""

    @property
    def seq(self) -> int:
        """The number of the last event applied."""
        return self.fold.seq

    def summary(self) -> RunSummary:
        """The run at a glance, as of the last event applied."""
        summary = self.fold.summary()
        summary.queue_position = self.queue_position
        return summary

    def apply(self, event: Event) -> None:
        """Adds one event; one that was applied before changes nothing."""
        if event["seq"] <= self.seq:
            return
        self.fold.apply(event)
        if event["type"] in ("RunStarted", "RunRestarted"):
            self._cut(int(event.get("from_step") or 0), bool(event.get("is_epoch_open")))
        elif event["type"] == "MetricsRecorded":
            self._add_metrics(event)
        elif event["type"] == "EpochEnded":
            self._add_epochs(event)
        mark = mark_of(event, self.fold)
        if mark is not None:
            self.marks.append(mark)

    def frame(self, since: Mapping[str, int] | None = None) -> tuple[dict[str, Any], bytes]:
        """What a viewer needs to be up to date: a header and a buffer.

        Args:
            since: Points that the viewer has, by series, and under "seq" the `seq` of the last frame it got (without
                it, points that a restart may have replaced are sent again). None: the viewer has nothing.

        Returns:
            The header, ready for JSON, and per series of the header `count` epochs followed by `count` values, as
            little-endian float64. `start` is the number of points to keep of those that the viewer has.
        """
        parts, series = [], []
        for name, points in self.series.items():
            start = self._common(name, since or {})
            series.append({"name": name, "start": start, "count": len(points) - start})
            parts.append(points.tail(start))
        header = {
            "type": "frame",
            "run_id": self.run_id,
            "seq": self.seq,
            "summary": self.summary().to_page(),
            "marks": [page_mark(mark) for mark in self.marks],
            "series": series,
        }
        return header, b"".join(parts)

    def _common(self, name: str, since: Mapping[str, int]) -> int:
        """How many of a viewer's points still stand."""
        seen = since.get("seq", 0)
        cut_to = [lengths[name] for seq, lengths in self._cuts if seq > seen and name in lengths]
        return max(0, min([since.get(name, 0), len(self.series[name]), *cut_to]))

    def _cut(self, step: int, is_epoch_open: bool) -> None:
        """Drops what came after a step; the figures of an epoch that ends there too, where they are yet to come."""
        before = {name: len(points) for name, points in self.series.items()}
        for name, points in self.series.items():
            points.truncate(step - 1 if is_epoch_open and name.startswith(AT_EPOCHS) else step)
        self.marks = [kept for mark in self.marks if (kept := cut_mark(mark, step, self.fold))]
        shorter = {name: len(points) for name, points in self.series.items() if len(points) < before[name]}
        self._cuts.append((self.seq, shorter))

    def _add_metrics(self, event: Event) -> None:
        scale = self._epochs_per_step(event)
        for name, points in (event.get("series") or {}).items():
            self._of_steps.add(name)
            self.series.setdefault(name, Series()).extend(points["step"], scale, points["value"])

    def _add_epochs(self, event: Event) -> None:
        for epoch in epochs_of(event):
            self._add_epoch(epoch)

    def _add_epoch(self, event: Event) -> None:
        names = ["val_loss", f"val_{self.fold.metric}"]
        if f"train_{self.fold.metric}" not in self._of_steps:
            names.append(f"train_{self.fold.metric}")
        for name in names:
            if event.get(name) is not None:
                self.series.setdefault(name, Series()).add(event["step"], float(event["epoch"]), event[name])

    def _epochs_per_step(self, event: Event) -> float:
        if self.fold.steps_per_epoch:
            return 1.0 / self.fold.steps_per_epoch
        return float(event.get("epoch") or 0.0) / (event.get("step") or 1)


class FrameSender:
    """Makes the frames for one viewer: the first holds everything, the next ones what is new.

    Args:
        curve: The curve, fed by someone else.
    """

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._since: dict[str, int] | None = None

    def hello(self) -> None:
        """Forgets what the viewer has; the next frame holds everything."""
        self._since = None

    def next(self) -> tuple[dict[str, Any], bytes] | None:
        """The next frame, or None if the viewer is up to date."""
        if self._since is not None and self._since["seq"] == self._curve.seq:
            return None
        header, buffer = self._curve.frame(self._since)
        self._since = {each["name"]: each["start"] + each["count"] for each in header["series"]}
        self._since["seq"] = header["seq"]
        return header, buffer

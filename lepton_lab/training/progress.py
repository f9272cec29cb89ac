"""When measurements are written: about ten times a second at first, less often as a run grows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from lepton_lab.training.meter import Meter

SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 5.0
GROWTH = 600
"""After so many seconds the interval has grown by one second; a day of training stays under 20 MB of events."""

QUIET_SECONDS = 1.0
"""Speed and time left are written this often even where no curve point was finished."""

WINDOW_SECONDS, LONGEST_WINDOW_SECONDS = 5.0, 600.0
"""Speed is measured over the last stretch of this length, the time left over an epoch and so much at most."""


class Events(Protocol):
    """Where a run's events go."""

    def append(self, event_type: str, /, **fields: Any) -> int:
        """Writes one event and returns its number."""
        ...

    def flush(self) -> None:
        """Makes all that was written durable."""
        ...


class Progress:
    """Writes `MetricsRecorded`.

    Args:
        events: Where to.
        meter: What was measured.
        steps_per_epoch: Steps of an epoch.
        steps_total: Steps of the run.
        batch_size: Rows of a full step.
    """

    def __init__(self, events: Events, meter: Meter, steps_per_epoch: int, steps_total: int, batch_size: int) -> None:
        self._events, self._meter = events, meter
        self._steps_per_epoch, self._steps_total, self._batch_size = steps_per_epoch, steps_total, batch_size
        self._window: deque[tuple[float, int]] = deque()
        self._began: float | None = None
        self._written = self.next_time = 0.0
        self._waited_seconds = 0.0
        self._waited_from = time.perf_counter()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts what happens inside as waiting for data."""
        began = time.perf_counter()
        yield
        self._waited_seconds += time.perf_counter() - began

    def resume(self, now: float, step: int) -> None:
        """Starts measuring speed anew, at the start and after a pause; the next step is written at once."""
        self._window = deque([(now, step)])
        self._began = now if self._began is None else self._began
        self.next_time = now

    def write(self, now: float, step: int, learning_rate: float, *, whole: bool = False) -> None:
        """Writes what has been measured up to a step.

        Args:
            now: Seconds, monotonic.
            step: Steps done.
            learning_rate: Of the last step.
            whole: Wait for all numbers, write them even if it is not time yet.
        """
        self._meter.collect(wait=whole)
        self.next_time = now + self._interval(now)
        points = self._meter.take_points()
        if not points.steps and (whole or now - self._written < QUIET_SECONDS):
            return
        self._written = now
        steps_per_second, lasting = self._speeds(now, step)
        left = (self._steps_total - step) / lasting if lasting else None
        series = {"train_loss": {"step": points.steps, "value": [round(x, 6) for x in points.losses]}}
        known = [round(x, 6) for x in points.metrics if x is not None]
        if len(known) == len(points.steps):
            series[f"train_{self._meter.metric.name}"] = {"step": points.steps, "value": known}
        self._events.append(
            "MetricsRecorded",
            series=series,
            step=step,
            epoch=round(step / self._steps_per_epoch, 4),
            samples_per_second=round(steps_per_second * self._batch_size, 1) if steps_per_second else None,
            seconds_left=round(left, 2) if left is not None else None,
            learning_rate=learning_rate,
            waiting_fraction=self._waiting_fraction(),
        )

    def _waiting_fraction(self) -> float:
        """Share of the time since the last call in which the step waited for data."""
        now = time.perf_counter()
        fraction = self._waited_seconds / max(now - self._waited_from, 1e-9)
        self._waited_seconds, self._waited_from = 0.0, now
        return round(min(1.0, fraction), 3)

    def _interval(self, now: float) -> float:
        return max(SHORTEST_SECONDS, self.pace(now))

    def pace(self, now: float) -> float:
        """Seconds between two events at the run's age: nothing in a young run, some seconds in an old one."""
        age = now - (self._began if self._began is not None else now)
        return min(LONGEST_SECONDS, age / GROWTH)

    def _speeds(self, now: float, step: int) -> tuple[float | None, float | None]:
        """Steps a second lately, and over the last epoch with its validation, by which the time left is foretold."""
        window = self._window
        while len(window) > 1 and self._is_past(window[1], now, step):
            window.popleft()
        window.append((now, step))
        lately = next(each for each in window if now - each[0] <= WINDOW_SECONDS)
        if lately is window[-1] and len(window) > 1:
            lately = window[-2]
        return _speed(lately, window[-1]), _speed(window[0], window[-1])

    def _is_past(self, written: tuple[float, int], now: float, step: int) -> bool:
        """Whether what has happened since is enough to foretell by."""
        then, step_then = written
        is_an_epoch = step - step_then >= self._steps_per_epoch and now - then >= WINDOW_SECONDS
        return is_an_epoch or now - then > LONGEST_WINDOW_SECONDS


def _speed(first: tuple[float, int], last: tuple[float, int]) -> float | None:
    (then, step_then), (now, step) = first, last
    return (step - step_then) / (now - then) if now > then and step > step_then else None

"""Pushes a run's curve to whoever looks: binary deltas from a thread, fewer when nobody seems to look.

A page that was closed cannot say so, and the server keeps what is sent to it in memory. So the pusher goes by when
the page was last heard of: full rate for a minute, then twice a second, after ten minutes once in ten seconds. Every
message of the page brings back the full rate, and a page that is there says hello when it opens, when it finds a gap
and when it hears nothing for eight seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lepton_lab.session import Run

if TYPE_CHECKING:
    from lepton_lab.runs import Curve

Send = Callable[[dict[str, Any], list[bytes]], None]

FULL_RATE_SECONDS = 0.1
RESUMED_SECONDS = 1.0
"""How often a stopped run is looked at, because somebody may have resumed it."""
_QUIET_AFTER = ((600.0, 10.0), (60.0, 0.5))


def pause_between(silence_seconds: float) -> float:
    """Seconds between two frames, by how long the page has been silent."""
    for after, pause in _QUIET_AFTER:
        if silence_seconds > after:
            return pause
    return FULL_RATE_SECONDS


class FramePusher:
    """Follows one run and sends what is new.

    Args:
        run: The run.
        send: Called with a frame's header and its buffers, from the pusher's own thread.
        picture: A watched row of the validation part as a data: address, or None where rows are no pictures.
        clock: Monotonic seconds; a seam for tests.
    """

    def __init__(
        self,
        run: Run,
        send: Send,
        picture: Callable[[int], str | None] = lambda row: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._send, self._picture, self._clock = run, send, picture, clock
        self._samples: list[dict[str, Any]] = []
        self._shown: list[dict[str, Any]] = self._samples
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._heard = clock()
        self._fresh = True

    def hello(self) -> None:
        """A page opened or lost track: the next frame holds everything."""
        with self._lock:
            self._heard, self._fresh = self._clock(), True
            self._wake.set()
            if (self._thread is None or not self._thread.is_alive()) and not self._closed:
                name = f"lepton-frames-{self._run.id}"
                self._thread = threading.Thread(target=self._push, name=name, daemon=True)
                self._thread.start()

    def heard(self) -> None:
        """The page said something: it is there."""
        self._heard = self._clock()
        self._wake.set()

    def close(self) -> None:
        """Ends the pushing."""
        self._closed = True
        self._wake.set()

    def _push(self) -> None:
        from lepton_lab.runs import Curve, EventTail, FrameSender

        curve, tail = Curve(self._run.id), EventTail(self._run.record.dir)
        sender = FrameSender(curve)
        while not self._closed:
            self._wake.clear()
            for event in tail.read():
                curve.apply(event)
                self._samples = event["samples"] if event["type"] == "SamplesPredicted" else self._samples
            if str(curve.summary().state) == "queued":
                curve.queue_position = self._run.summary.queue_position
            with self._lock:
                if self._fresh:
                    sender.hello()
                    self._shown = []
                self._fresh = False
            frame = sender.next()
            if frame is not None:
                self._send(self._with_samples(frame[0]), [frame[1]])
            elif self._may_rest(curve):
                return
            self._wake.wait(self._pause(curve))

    def _with_samples(self, header: dict[str, Any]) -> dict[str, Any]:
        """The header, with the last watched rows and their pictures if they changed since the last frame."""
        if self._samples is self._shown or not self._samples:
            return header
        self._shown = self._samples
        return {**header, "samples": [self._with_picture(sample) for sample in self._samples]}

    def _with_picture(self, sample: dict[str, Any]) -> dict[str, Any]:
        return {**sample, "picture": self._picture(int(sample["row"]))}

    def _pause(self, curve: Curve) -> float:
        from lepton_lab.runs.states import ENDED

        pause = pause_between(self._clock() - self._heard)
        return max(pause, RESUMED_SECONDS) if curve.summary().state in ENDED else pause

    def _may_rest(self, curve: Curve) -> bool:
        """Whether the run is finished and has been said whole; then the thread ends, until the next hello.

        A stopped or failed run may be resumed by any face; then it goes on here too.
        """
        with self._lock:
            if self._fresh or str(curve.summary().state) != "finished":
                return False
            self._thread = None
            return True

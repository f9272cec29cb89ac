"""Commands that come after the last step, while the test rows are judged."""

from __future__ import annotations

import time
from collections.abc import Callable

from lepton_lab.training.progress import Events
from lepton_lab.training.steering import Control, Steering


class StoppedAtTheEnd(Exception):
    """Somebody stopped the run, or took its device, before its report was written.

    Attributes:
        event: The event that says so, "RunStopped" or "RunPreempted".
        said: Its fields besides step and epoch.
    """

    def __init__(self, event: str, said: dict[str, str | None]) -> None:
        super().__init__(event)
        self.event, self.said = event, said


class Ending:
    """Takes commands between two passes over the test rows; call it there.

    A pause holds the work, a stop ends it: the last checkpoint is there, so a run that goes on is judged anew. A new
    learning rate comes too late, and is told so.

    Args:
        control: Where commands come from.
        events: Where they are acknowledged.
        num_steps: Steps that the run has taken.
        clock: Monotonic seconds.
    """

    def __init__(
        self, control: Control, events: Events, num_steps: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._steering, self._events, self._clock = Steering(control, events), events, clock
        self.num_steps = num_steps

    def __call__(self) -> None:
        """Looks for commands, if it is time.

        Raises:
            StoppedAtTheEnd: The run is to stop.
        """
        now, steering = self._clock(), self._steering
        if now < steering.next_look:
            return
        steering.attend(self, now)
        if steering.preempted_for is not None:
            raise StoppedAtTheEnd("RunPreempted", {"by": steering.stopped_by, "for": steering.preempted_for})
        if steering.stopped_by is not None:
            raise StoppedAtTheEnd("RunStopped", {"by": steering.stopped_by})

    def change_learning_rate(self, value: float, by: str) -> None:
        """Says that there is no step left to take."""
        self._events.append("WarningRaised", message=f"The learning rate {value:g} came after the last step; not used.")

    def save_checkpoint(self) -> None:
        """The one of the last step is there."""

"""Commands from outside, taken between two steps and acknowledged as events.

| command | while running | while paused |
|---|---|---|
| pause | `RunPaused`, then a checkpoint | nothing more |
| resume | nothing more | `RunResumed` |
| stop | `RunStopping`; the loop saves a checkpoint unless the stop is hard | the same |
| set_learning_rate | `LearningRateChanged`, then a checkpoint | the same |
| checkpoint | `CheckpointSaved` | the same |
| preempt (by the supervisor) | the loop saves a checkpoint, `RunPreempted` | the same |

Each begins with `CommandReceived`; one that makes no sense gets a `WarningRaised` too. What a command does, it does at
once; the checkpoint that keeps it is saved after that, and only then is the command taken off the list. So a worker
that is killed in between gets the command a second time, and nothing that was asked for is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from lepton_lab.training.progress import Events

LOOK_SECONDS = 0.05
"""Between two steps the control folder is looked at when so long has passed."""


class Command(NamedTuple):
    """What somebody wants from a running run."""

    id: str
    command: str
    value: Any
    by: str


class Control(Protocol):
    """Where commands come from."""

    def pending(self) -> Sequence[Command]:
        """Commands that nobody has marked as done, oldest first."""
        ...

    def done(self, command_id: str) -> None:
        """Marks a command as done."""
        ...

    def wait(self, timeout_seconds: float) -> None:
        """Returns when a command may have come, or after the timeout."""
        ...


class Helm(Protocol):
    """What a command can do to a run."""

    @property
    def num_steps(self) -> int:
        """Steps done."""
        ...

    def change_learning_rate(self, value: float, by: str) -> None:
        """Sets the learning rate from the next step on."""
        ...

    def save_checkpoint(self) -> None:
        """Saves all that is needed to go on from here."""
        ...


class Steering:
    """Takes commands and keeps the run paused or stopped as they say.

    Args:
        control: Where commands come from.
        events: Where they are acknowledged.
    """

    def __init__(self, control: Control, events: Events) -> None:
        self._control, self._events = control, events
        self.paused_by: str | None = None
        self.stopped_by: str | None = None
        self.stops_hard = False
        self.preempted_for: str | None = None
        self.next_look = 0.0
        self._wants_checkpoint = False

    def has_pending(self) -> bool:
        """Whether there are commands that nobody has taken."""
        return bool(self._control.pending())

    def attend(self, helm: Helm, now: float) -> bool:
        """Handles what is pending and, when paused, stays here until the run goes on; True when it was paused."""
        self.next_look = now + LOOK_SECONDS
        self._handle_pending(helm)
        was_paused = self.paused_by is not None
        while self.paused_by is not None and self.stopped_by is None:
            self._control.wait(2 * LOOK_SECONDS)
            self._handle_pending(helm)
        return was_paused

    def _handle_pending(self, helm: Helm) -> None:
        commands = self._control.pending()
        for command in commands:
            self._events.append(
                "CommandReceived", command=command.command, value=command.value, by=command.by, id=command.id
            )
            self._handle(command, helm)
        if self._wants_checkpoint:
            self._wants_checkpoint = False
            if not self.stops_hard:
                helm.save_checkpoint()
        elif commands:
            self._events.flush()
        for command in commands:
            self._control.done(command.id)

    def _handle(self, command: Command, helm: Helm) -> None:
        action = {
            "pause": self._pause,
            "resume": self._resume,
            "stop": self._stop,
            "set_learning_rate": self._set_learning_rate,
            "checkpoint": self._checkpoint,
            "preempt": self._preempt,
        }.get(command.command)
        if action is None:
            self._warn(f"The command {command.command!r} is unknown; nothing was changed.")
        elif self.stopped_by is None or (self.preempted_for and command.command == "stop"):
            action(command, helm)

    def _pause(self, command: Command, helm: Helm) -> None:
        if self.paused_by is None:
            self.paused_by = command.by
            self._events.append("RunPaused", step=helm.num_steps, by=command.by)
            self._wants_checkpoint = True

    def _resume(self, command: Command, helm: Helm) -> None:
        if self.paused_by is not None:
            self.paused_by = None
            self._events.append("RunResumed", step=helm.num_steps, by=command.by)

    def _stop(self, command: Command, helm: Helm) -> None:
        self.stopped_by, self.preempted_for = command.by, None
        self.stops_hard = isinstance(command.value, dict) and bool(command.value.get("hard"))
        self._events.append("RunStopping", by=command.by)

    def _preempt(self, command: Command, helm: Helm) -> None:
        self.stopped_by, self.preempted_for = command.by, str(command.value or "a run of a higher priority")

    def _set_learning_rate(self, command: Command, helm: Helm) -> None:
        value = command.value
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not 0 < value <= 100:
            self._warn(f"The learning rate cannot become {value!r}; expected a number above 0 and at most 100.")
            return
        helm.change_learning_rate(float(value), command.by)
        self._wants_checkpoint = True

    def _checkpoint(self, command: Command, helm: Helm) -> None:
        self._wants_checkpoint = True

    def _warn(self, message: str) -> None:
        self._events.append("WarningRaised", message=message)

"""A run's commands from its folder, as the training loop takes them."""

from __future__ import annotations

from pathlib import Path

from lepton_lab.runs.control import done, pending_commands, wait_for_commands
from lepton_lab.runs.early_stop import EarlyStop
from lepton_lab.training.steering import Command


class RunControl:
    """A run's commands, as the training loop takes them.

    Args:
        run_dir: The run's folder.
        early: Who takes a stop until the loop asks for commands the first time, if anybody does.
    """

    def __init__(self, run_dir: Path, early: EarlyStop | None = None) -> None:
        self._run_dir, self._early = run_dir, early

    def pending(self) -> list[Command]:
        """Commands that nobody has marked as done, oldest first."""
        if self._early is not None:
            self._early.end()
        return [
            Command(each["id"], each["command"], each.get("value"), str(each.get("by", "")))
            for each in pending_commands(self._run_dir)
        ]

    def done(self, command_id: str) -> None:
        """Marks a command as done."""
        done(self._run_dir, command_id)

    def wait(self, timeout_seconds: float) -> None:
        """Returns when a command has come, or after the timeout."""
        wait_for_commands(self._run_dir, timeout_seconds)

"""Commands from a browser on their way to a run's control folder."""

from __future__ import annotations

from typing import Any

from lepton_lab.errors import SpecError, UnknownName
from lepton_lab.runs.control import send_command
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord

GIVER = "panel"
"""Who the run's history says it was."""
_FIELDS = ("command", "value")


def give(store: Store, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Gives one command to a run.

    Args:
        store: The run store.
        run_id: The run.
        body: `{"command": ..., "value": ...}` as the browser sent it.

    Returns:
        `{"run_id", "command", "id"}`; the id stands in the event that answers.

    Raises:
        SpecError: If the body has no command, or more than a command.
        UnknownName: If there is no such command or run.
        RunError: If the value is not allowed, or the run's state does not take the command.
    """
    unknown = [key for key in body if key not in _FIELDS]
    if unknown:
        raise UnknownName("field of a command", unknown[0], _FIELDS)
    command = body.get("command")
    if not isinstance(command, str):
        raise SpecError('The body names no command; send for example {"command": "pause"}.')
    run = RunRecord.find(store, run_id)
    command_id = send_command(run.dir, command, body.get("value"), by=GIVER)
    return {"run_id": run_id, "command": command, "id": command_id}

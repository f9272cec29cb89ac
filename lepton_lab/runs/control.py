"""Commands to a run: one file each in its `control/` folder, created whole by any face, answered in events."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton_lab.errors import RunError, StoreError, UnknownName
from lepton_lab.runs import snapshot
from lepton_lab.runs.atomic import read_json, store_error, write_json
from lepton_lab.runs.events import EventLog, RunBusy
from lepton_lab.runs.paths import Store
from lepton_lab.runs.states import ENDED, RunState

COMMANDS = ("pause", "resume", "stop", "set_learning_rate", "checkpoint")
"""What a person can ask of a run at work."""
PREEMPT = "preempt"
"""What the supervisor asks: save a checkpoint, and go back into the queue; the value names the run that comes."""
CONTROL_FOLDER = "control"
_POLL_SECONDS = 0.05


def send_command(run_dir: Path, command: str, value: Any = None, *, by: str) -> str:
    """Leaves a command for a run and returns its id, with which the run's `CommandReceived` answers.

    A queued run that is stopped ends at once. A stopped or failed run that is told to resume is queued again.

    Args:
        run_dir: The run's folder.
        command: One of `COMMANDS`.
        value: "set_learning_rate": the new rate. "stop": None or `{"hard": bool}`.
        by: Who asks, in a word ("notebook", "panel", "cli"), for the record.

    Raises:
        UnknownName: If there is no such command.
        RunError: If the value is wrong, or the run has ended.
        StoreError: If the folder cannot be read or written.
    """
    if command == PREEMPT and by != "supervisor":
        raise UnknownName("command", command, COMMANDS)
    value = _check(command, value)
    try:
        state = snapshot.load(run_dir).fold.state
    except OSError as error:
        raise store_error(error, run_dir / CONTROL_FOLDER) from error
    command_id = secrets.token_hex(8)
    if state in ENDED:
        _to_ended_run(run_dir, state, command, by)
        return command_id
    folder = run_dir / CONTROL_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    record = {"id": command_id, "command": command, "value": value, "by": by, "time": time.time()}
    write_json(folder / f"{_next_number(run_dir):020d}-{command_id}.json", record)
    if command == "stop":
        if state is RunState.queued:
            stop_queued(run_dir)
        _wake_supervisor(run_dir)
    return command_id


def pending_commands(run_dir: Path) -> list[dict[str, Any]]:
    """The commands that nobody has done yet, oldest first: `{"id", "command", "value", "by", "time"}`."""
    found = []
    for path in _files(run_dir):
        try:
            record = read_json(path)
            value = _check(record["command"], record.get("value"))
            by = str(record.get("by") or "somebody")
            found.append({**record, "id": path.stem.partition("-")[2], "value": value, "by": by})
        except (RunError, UnknownName, KeyError, TypeError) as error:
            if not isinstance(error.__cause__, OSError):  # which may be over at the next look
                path.unlink(missing_ok=True)  # files come whole, so this one is not a command and will not become one
    return found


def done(run_dir: Path, command_id: str) -> None:
    """Takes a command off the list; safe to repeat."""
    for path in _files(run_dir):
        if path.stem.partition("-")[2] == command_id:
            path.unlink(missing_ok=True)


def forget_commands(run_dir: Path) -> None:
    """Takes every command off the list: the run has ended, or begins anew."""
    for path in _files(run_dir):
        path.unlink(missing_ok=True)


def wait_for_commands(run_dir: Path, timeout_seconds: float, is_over: Callable[[], bool] = lambda: False) -> bool:
    """Waits until a command is there; returns whether one is.

    Args:
        run_dir: The run's folder.
        timeout_seconds: How long at most.
        is_over: Ends the wait early when it says so; asked every 50 ms.
    """
    deadline = time.monotonic() + timeout_seconds
    while not _files(run_dir):
        left = deadline - time.monotonic()
        if left <= 0 or is_over():
            return False
        time.sleep(min(_POLL_SECONDS, left))  # a folder listing is cheap, and a pipe would make the run unsafe to copy
    return True


def stop_queued(run_dir: Path) -> bool:
    """Ends a run that only waits for its slot, if a stop is pending; returns whether it has ended.

    The run's lock decides between this and a start at the same moment: who comes second sees the other's event.
    """
    from lepton_lab.runs.queue import Queue

    try:
        with EventLog.open_writer(run_dir, wait_seconds=0.0) as writer:
            stops = [each for each in pending_commands(run_dir) if each["command"] == "stop"]
            if writer.state is not RunState.queued or not stops:
                return False
            stop = stops[0]
            writer.append("CommandReceived", command="stop", value=stop["value"], by=stop["by"], id=stop["id"])
            summary = writer.fold.summary()
            writer.append("RunStopped", step=summary.step, epoch=summary.epoch, by=stop["by"])
            forget_commands(run_dir)
            Queue(Store.of_run(run_dir)).remove(run_dir.name)
            return True
    except RunBusy:
        return False


def _to_ended_run(run_dir: Path, state: RunState, command: str, by: str) -> None:
    if command == "resume" and state is not RunState.finished:
        from lepton_lab.runs.record import resume_run

        resume_run(Store.of_run(run_dir), run_dir.name, by=by)
        return
    hint = " Resume it first." if state is not RunState.finished else ""
    raise RunError(f"Run {run_dir.name!r} has {_ENDS[state]}, so it cannot {_VERBS[command]}.{hint}")


_ENDS = {RunState.finished: "finished", RunState.stopped: "been stopped", RunState.failed: "failed"}
_VERBS = {
    "pause": "pause",
    "resume": "go on",
    "stop": "be stopped",
    "set_learning_rate": "change its learning rate",
    "checkpoint": "save a checkpoint",
    PREEMPT: "make room",
}


def _check(command: str, value: Any) -> Any:
    if command == PREEMPT:
        return None if value is None else str(value)
    if command not in COMMANDS:
        raise UnknownName("command", str(command), COMMANDS)
    if command == "set_learning_rate":
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not 0 < value <= 100:
            raise RunError(f"The learning rate {value!r} is not allowed; give a number above 0, at most 100.")
        return float(value)
    if command == "stop":
        if value is not None and not (isinstance(value, dict) and set(value) <= {"hard"}):
            raise RunError(f"stop was given {value!r}; expected nothing or {{'hard': true}}.")
        return {"hard": bool(value and value.get("hard"))}
    if value is not None:
        raise RunError(f"{command} takes no value, but was given {value!r}.")
    return None


def _next_number(run_dir: Path) -> int:
    """One more than the last pending command's. Not the time: a clock that is set back must not change the order."""
    numbers = [path.stem.partition("-")[0] for path in _files(run_dir)]
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def _files(run_dir: Path) -> list[Path]:
    try:
        return sorted(path for path in (run_dir / CONTROL_FOLDER).iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"The commands of run {run_dir.name!r} cannot be read: {error.strerror}.") from error


def _wake_supervisor(run_dir: Path) -> None:
    from lepton_lab.runs.launch import poke

    poke(Store.of_run(run_dir))

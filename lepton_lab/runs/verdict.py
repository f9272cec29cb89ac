"""What becomes of a run whose worker died: stopped, failed, or restarted from its last checkpoint."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lepton_lab.errors import StoreError
from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.checkpoints import newest_step
from lepton_lab.runs.control import pending_commands
from lepton_lab.runs.events import EventWriter
from lepton_lab.runs.states import RunState
from lepton_lab.words import N_

_LOG_BYTES = 4096
_LINE_LENGTH = 300
_LONGEST_PAUSE_SECONDS = 60.0


def on_death(writer: EventWriter, exit_code: int | None) -> bool:
    """Writes down what the death of a run's worker means; returns whether it is to be started again.

    Args:
        writer: The run's writer; the run is not queued and has not ended.
        exit_code: How the worker ended, as `subprocess` counts; None if that is not known.

    A death that has been judged already, by a supervisor that was killed before it could act, is not judged twice.

    Raises:
        StoreError: If the disk does not take it.
    """
    if writer.fold.awaits_worker and not _has_stop(writer):
        return True
    summary = writer.fold.summary()
    stops = [each for each in pending_commands(writer.run_dir) if each["command"] == "stop"]
    if stops or writer.state is RunState.stopping:
        for stop in stops:
            writer.append("CommandReceived", command="stop", value=stop["value"], by=stop["by"], id=stop["id"])
        by = stops[0]["by"] if stops else None
        writer.append("RunStopped", step=summary.step, epoch=summary.epoch, by=by)
        return False
    how = describe(writer.run_dir, exit_code)
    try:
        max_restarts = int(read_json(writer.run_dir / "spec.json")["train"].get("max_restarts", 2))
    except (StoreError, KeyError, TypeError, ValueError, AttributeError) as error:
        message = N_(f"{how} It cannot be restarted, because spec.json cannot be read: {error}")
        writer.append("RunFailed", reason="unreadable", message=message, step=summary.step)
        return False
    attempts = writer.fold.attempt_restarts
    if attempts >= max_restarts:
        said = f"{how} It was restarted {attempts} times (max_restarts)." if attempts else how
        writer.append("RunFailed", reason="worker_died", message=said, step=summary.step)
        return False
    from_step = newest_step(writer.run_dir)
    writer.append("RunRestarted", attempt=attempts + 1, from_step=from_step, reason="worker_died", message=how)
    return True


def _has_stop(writer: EventWriter) -> bool:
    return any(each["command"] == "stop" for each in pending_commands(writer.run_dir))


def pause_seconds(quick_deaths: int) -> float:
    """How long to wait before a run is started again: nothing the first time, then 1, 2, 4 ... 60 seconds.

    Args:
        quick_deaths: Deaths in a row without a checkpoint in between.
    """
    return 0.0 if quick_deaths < 2 else float(min(_LONGEST_PAUSE_SECONDS, 2 ** (quick_deaths - 2)))


def describe(run_dir: Path, exit_code: int | None) -> str:
    """One or two sentences about a worker's end: the signal or code, and the last line that it wrote."""
    if exit_code is None:
        how = "The worker process disappeared."
    elif exit_code < 0:
        how = f"The worker process was killed by signal {-exit_code} ({_signal_name(-exit_code)})."
        if -exit_code == signal.SIGKILL:
            how += " If nobody did that, the machine may have run out of memory."
    else:
        how = f"The worker process ended with code {exit_code}."
    line = last_line(run_dir / "worker.log")
    return N_(f"{how} It last said: {line}") if line else how


def last_line(path: Path) -> str:
    """The last line of a log that is not empty, shortened; "" if there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:_LINE_LENGTH] if said else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"

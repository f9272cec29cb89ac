"""A worker's seat at a run: what each worker process takes before it does anything."""

from __future__ import annotations

from pathlib import Path

from lepton_lab.errors import RunError
from lepton_lab.runs.events import LOCK_FILE, EventLog, EventWriter
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.process import write_identity
from lepton_lab.runs.states import ACTIVE

WORKER_FILE, WORKER_LOG = "worker.json", "worker.log"


def take_seat(run_dir: Path, *, wait_seconds: float = 10.0) -> EventWriter:
    """Makes this process the run's worker: takes its lock and writes `worker.json`.

    Args:
        run_dir: The run's folder.
        wait_seconds: How long to wait for the supervisor to let the run go.

    Returns:
        The run's writer; close it last.

    Raises:
        RunBusy: If the run has a worker.
        RunError: If the run was not started by a supervisor, or has ended since.
        StoreError: If the folder cannot be read or written.
    """
    writer = EventLog.open_writer(run_dir, wait_seconds=wait_seconds)
    try:
        if writer.state not in ACTIVE:
            raise RunError(f"Run {run_dir.name!r} is {writer.state}; there is nothing for a worker to do.")
        write_identity(run_dir / WORKER_FILE)
    except BaseException:
        writer.close()
        raise
    return writer


def has_no_worker(run_dir: Path) -> bool:
    """Whether nobody writes the run's events at this moment."""
    lock = FileLock(run_dir / LOCK_FILE)
    if not lock.acquire():
        return False
    lock.release()
    return True

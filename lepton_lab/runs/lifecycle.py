"""What a person does to a run as a whole: retry, priority, place in line, delete, bring in from elsewhere."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from lepton_lab.errors import RunError, StoreError
from lepton_lab.runs import snapshot
from lepton_lab.runs.atomic import store_error, sync_directory
from lepton_lab.runs.copies import NOTE_FILE, remove_copies_of
from lepton_lab.runs.events import EventLog, RunBusy
from lepton_lab.runs.labels import read_labels
from lepton_lab.runs.launch import poke
from lepton_lab.runs.paths import Store, check_name
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import RunRecord, resume_run
from lepton_lab.runs.states import ENDED, RunState, require

LEAST_PRIORITY, GREATEST_PRIORITY = -100, 100
TRASH = ".trash-"
"""How the folder of a run that is being deleted begins; `gc` and the supervisor clear away what a crash left."""


def retry_run(store: Store, run_id: str, *, by: str) -> RunRecord:
    """Queues a failed or stopped run again, its restarts counted anew; it goes on from its last checkpoint.

    Raises:
        UnknownName: If there is no such run.
        RunError: If it has not failed or been stopped.
    """
    record = RunRecord.find(store, run_id)
    require("retry", run_id, _state(record))
    return resume_run(store, run_id, by=by)


def set_priority(store: Store, run_id: str, priority: int, *, by: str) -> None:
    """Gives a waiting or running run another priority; in the queue it stands at the end of that priority's line.

    A waiting run's change is in its record; a running one's holds for the next time that devices are given out.

    Raises:
        UnknownName: If there is no such run.
        RunError: If the priority is no whole number from -100 to 100, or the run has ended.
    """
    is_whole = isinstance(priority, int) and not isinstance(priority, bool)
    if not is_whole or not LEAST_PRIORITY <= priority <= GREATEST_PRIORITY:
        raise RunError(
            f"The priority {priority!r} is not allowed; "
            f"give a whole number from {LEAST_PRIORITY} to {GREATEST_PRIORITY}."
        )
    record = RunRecord.find(store, run_id)
    require("set_priority", run_id, _state(record))
    try:
        with EventLog.open_writer(record.dir, wait_seconds=0.0) as writer:
            writer.append("RunPrioritized", priority=priority, by=by)
    except RunBusy:
        pass  # its worker writes the record; the queue's word is what counts
    Queue(store).set_priority(run_id, priority)
    poke(store)


def move_run(store: Store, run_id: str, place: int, *, by: str) -> int | None:
    """Puts a waiting run at a place in its priority's line; 1 is the first.

    Returns:
        Its place among all waiting runs afterwards.

    Raises:
        UnknownName: If there is no such run.
        RunError: If the place is no whole number from 1 on, or the run does not wait.
    """
    if not isinstance(place, int) or isinstance(place, bool) or place < 1:
        raise RunError(f"The place {place!r} is not allowed; give a whole number, 1 for the first in line.")
    record = RunRecord.find(store, run_id)
    require("move", run_id, _state(record))
    queue = Queue(store)
    if not queue.move(run_id, place):
        raise RunError(f"Run {run_id!r} does not wait any more; it has just been started.")
    try:
        with EventLog.open_writer(record.dir, wait_seconds=0.0) as writer:
            writer.append("RunMoved", place=place, by=by)
    except RunBusy:
        pass  # it has been started at this moment
    poke(store)
    return queue.positions().get(run_id)


def delete_run(store: Store, run_id: str, *, by: str, force: bool = False) -> int:
    """Removes a run that has ended or waits, with all its files, those on shared storage too.

    Endpoints keep the copies that they serve.

    Args:
        store: The store.
        run_id: The run.
        by: Who asks; stands in the supervisor's folder, in `deleted.log`, because the record itself goes.
        force: Whether a pinned run goes too.

    Returns:
        The bytes that were freed.

    Raises:
        UnknownName: If there is no such run.
        RunError: If it is at work, or pinned.
        StoreError: If it cannot be removed.
    """
    from lepton_lab.runs.housekeeping import folder_bytes

    record = RunRecord.find(store, run_id)
    if read_labels(record.dir).pinned and not force:
        raise RunError(f"Run {run_id!r} is pinned; take its pin off first, or delete it with force.")
    freed = folder_bytes(record.dir)
    trash = store.runs_dir / f"{TRASH}{secrets.token_hex(8)}"
    if not snapshot.is_readable(record.dir):
        _rename(record.dir, trash)  # nobody can work on it
    else:
        try:
            with EventLog.open_writer(record.dir, wait_seconds=0.5) as writer:
                require("delete", run_id, writer.state)
                Queue(store).remove(run_id)
                _rename(record.dir, trash)
        except RunBusy:
            require("delete", run_id, _state(record))
            raise
    Queue(store).remove(run_id)
    _note_deletion(store, run_id, by, freed)
    remove_copies_of(store, run_id)
    shutil.rmtree(trash, ignore_errors=True)
    return freed


def import_run(store: Store, folder: Path, *, name: str | None = None, by: str) -> RunRecord:
    """Copies a run's folder from elsewhere into the store, where it can be looked at, compared, continued and forked.

    Code that it brings is not run before `trust_run`. Links are refused, so that nothing outside comes along.

    Args:
        store: The store.
        folder: A run's folder, of this or another machine.
        name: Its name here (default: the folder's).
        by: Who asks; noted in the labels.

    Raises:
        RunError: If it is no run's folder, has links, or the name is taken.
        StoreError: If it cannot be read, or the disk does not take it.
    """
    from lepton_lab.runs.labels import note_run

    name = check_name("run", name or folder.name)
    links = [path for path in folder.rglob("*") if path.is_symlink()] if folder.is_dir() else []
    if links:
        raise RunError(f"{folder.name} holds a link ({links[0].name}); copy the files themselves, then try again.")
    if not (folder / "events.jsonl").is_file() or not snapshot.is_readable(folder):
        raise RunError(f"{folder} is not the folder of a run: its events.jsonl is missing or cannot be read.")
    store.prepare()
    target = store.run_dir(name)
    if target.exists():
        raise RunError(f"There is a run called {name!r} already; give the one from {folder.parent} another name.")
    temporary = store.runs_dir / f".new-{secrets.token_hex(8)}"
    try:
        shutil.copytree(
            folder, temporary, ignore=shutil.ignore_patterns("*.lock", "worker.json", "control", ".*", NOTE_FILE)
        )
        for path in [temporary, *temporary.rglob("*")]:
            os.chmod(path, 0o700 if path.is_dir() else 0o600)
        (temporary / "control").mkdir(mode=0o700)
        os.rename(temporary, target)
        sync_directory(store.runs_dir)
    except OSError as error:
        raise store_error(error, target) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    record = RunRecord(store, name)
    _end_if_unfinished(record, by)
    note_run(record.dir, read_labels(record.dir).note, by=f"{by} (brought in from {folder.parent.name})")
    return record


def _end_if_unfinished(record: RunRecord, by: str) -> None:
    """A run that was at work elsewhere is not at work here: it stands as stopped, ready to be resumed."""
    with EventLog.open_writer(record.dir) as writer:
        if writer.state not in ENDED:
            summary = writer.fold.summary()
            writer.append("RunStopped", step=summary.step, epoch=summary.epoch, by=by)


def _state(record: RunRecord) -> RunState:
    try:
        return snapshot.load(record.dir).fold.state
    except OSError as error:
        raise StoreError(f"The record of run {record.run_id!r} cannot be read: {error.strerror}.") from error


def _rename(folder: Path, trash: Path) -> None:
    try:
        os.rename(folder, trash)
        sync_directory(folder.parent)
    except OSError as error:
        raise store_error(error, folder) from error


def _note_deletion(store: Store, run_id: str, by: str, freed: int) -> None:
    import json
    import time

    entry = {"time": round(time.time(), 3), "run_id": run_id, "by": by, "bytes": freed}
    try:
        fd = os.open(store.supervisor_dir / "deleted.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as log:
            log.write(json.dumps(entry) + "\n")
    except OSError:
        return  # the run is gone; that nobody can be told is no reason to say it is not

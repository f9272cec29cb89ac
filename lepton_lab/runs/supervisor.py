"""The supervisor: one small process per store that keeps workers and endpoint servers as their records want them.

Run as `python -m lepton_lab.runs.supervisor --store PATH [--warm]`, by `launch.ensure_supervisor`. It is elected by a
file lock, sleeps until something happens, and leaves when there has been nothing to do for `LEPTON_IDLE_SECONDS`
(default 900). It holds nothing that is not on disk: killed at any moment, the next one takes over.

`workers.py` owns training runs, `monitor.py` what they use, `servers.py` endpoints and studies, `spare.py` the warm
spare, `wakeup.py` the waiting.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable

from lepton_lab.errors import SpecError, StoreError
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.config import read_config
from lepton_lab.runs.devices import cluster_slots, device_slots
from lepton_lab.runs.launch import POKE, POKE_WARM, poke
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.monitor import Monitor
from lepton_lab.runs.orphans import Orphans
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import identity, python_command, read_identity, spawn_detached
from lepton_lab.runs.programs import Programs
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.servers import ServerKeeper, StudyKeeper
from lepton_lab.runs.spare import Spare
from lepton_lab.runs.wakeup import Wakeup
from lepton_lab.runs.workers import WorkerPool

log = logging.getLogger("lepton_lab.supervisor")

_POLL_SECONDS = 1.0
_ELECTION_SECONDS = 10.0
_IDLE_SECONDS = 900.0
_LOG_BYTES = 1_000_000


class Supervisor:
    """The loop over everything that is supervised. Make it in the main thread, with the lock held.

    Args:
        store: The store.
        lock: The supervisor's lock, held.
        programs: What to start.
        slots: The device slots.
        idle_seconds: How long to stay without work.
        warm: Whether to keep a spare worker.
    """

    def __init__(
        self,
        store: Store,
        lock: FileLock,
        programs: Programs,
        slots: list[str],
        idle_seconds: float,
        warm: bool = False,
    ) -> None:
        self._store, self._lock, self._idle_seconds = store, lock, idle_seconds
        self._queue = Queue(store)
        self._orphans = Orphans(store, self._queue)
        self._wakeup = Wakeup(store.supervisor_pipe)
        self._spare = Spare(store, programs)
        self._workers = WorkerPool(store, programs, slots, self._spare, self._wakeup.watch, on_end=self._tell)
        self._monitor = Monitor(store)
        self._told: list[subprocess.Popen[bytes]] = []
        self._servers = ServerKeeper(store, programs, self._wakeup.watch)
        self._studies = StudyKeeper(store, programs, self._wakeup.watch)
        self._busy_at = time.monotonic()
        self._trouble = ""
        before = read_identity(store.supervisor_json) or {}  # left only by a supervisor that was killed
        self._spare.wanted = warm or bool(before.get("warm"))

    def run(self) -> None:
        """Supervises until there was nothing to do for long, a signal asks it to leave, or the store is removed."""
        self._wakeup.open_pipe()
        self._write_identity()
        self._guarded(self._mend_queue)
        self._guarded(self._recover)
        while True:
            self._guarded(self._step)
            said = self._wakeup.wait(self._patience_seconds())
            self._listen(said)
            if not self._lock.is_current:  # the store was removed; what stands there now, if anything, is another's
                self._spare.discard()
                return
            if self._wakeup.must_end:
                break
            if time.monotonic() - self._busy_at > self._idle_seconds and self._has_left():
                break
        self._wakeup.hide_pipe()
        self._wakeup.close_pipe()
        self._spare.discard()
        self._store.supervisor_json.unlink(missing_ok=True)

    def _recover(self) -> None:
        self._workers.recover()
        self._fill_queue()

    def _mend_queue(self) -> None:
        """Makes a queue that broke under us anew; leases in hand go on."""
        if self._queue.set_aside_if_broken():
            log.warning("queue.db was broken; it is made anew from the runs' folders")
            self._fill_queue()

    def _fill_queue(self) -> None:
        self._say_queued(self._orphans.enqueue_all())

    def _say_queued(self, run_ids: list[str]) -> None:
        for run_id in run_ids:
            log.warning("run %s was not in the queue; it is now", run_id)

    def _step(self) -> None:
        self._servers.tick()
        self._studies.tick()
        self._say_queued(self._orphans.tick())
        self._workers.tick()
        if self._is_busy():
            self._busy_at = time.monotonic()
        self._monitor.tick(self._workers.at_work())
        if self._spare.is_missing and not self._workers.is_starting():
            self._spare.restock()

    def _tell(self, run_id: str) -> None:
        """Has the user told that a run has ended, if their configuration says so, from a process of its own."""
        self._told = [process for process in self._told if process.poll() is None]
        try:
            if not read_config().is_wanted:
                return
        except SpecError as error:
            log.warning("notify: %s", error)
            return
        argv = python_command("lepton_lab.runs.notify", "--store", str(self._store.root), "--run", run_id)
        with contextlib.suppress(OSError):  # a run's end is not held up because nobody can be told
            self._told.append(spawn_detached(argv, self._store.supervisor_log, cwd=self._store.root))

    def _listen(self, said: bytes) -> None:
        if POKE_WARM in said:
            self._busy_at = time.monotonic()
            if not self._spare.wanted:
                self._spare.wanted = True
                self._guarded(self._write_identity)

    def _is_busy(self) -> bool:
        return self._workers.is_busy or self._servers.is_busy or self._studies.is_busy

    def _patience_seconds(self) -> float:
        keepers = (self._servers, self._studies, self._workers)
        due = [keeper.next_due for keeper in keepers if keeper.next_due is not None]
        return min([_POLL_SECONDS, *(max(0.01, each - time.monotonic()) for each in due)])

    def _has_left(self) -> bool:
        """Takes the pipe away and looks once more: whoever came before that is still served."""
        said = self._wakeup.hide_pipe()
        self._servers.tick()
        self._studies.tick()
        if not (POKE_WARM in said or self._is_busy()):
            return True
        self._wakeup.close_pipe()
        self._wakeup.open_pipe()
        self._listen(said)
        return False

    def _write_identity(self) -> None:
        values = {**(identity() or {}), "started": time.time(), "warm": self._spare.wanted}
        write_json(self._store.supervisor_json, values, durable=False)

    def _guarded(self, act: Callable[[], None]) -> None:
        """Does one thing; a full disk or a folder without permission is said once, and tried again at the next step."""
        try:
            act()
            self._trouble = ""
        except (StoreError, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("%s", error)
            with contextlib.suppress(StoreError, OSError):
                self._mend_queue()


def elect(store: Store, wait_seconds: float = _ELECTION_SECONDS) -> FileLock | None:
    """The lock that makes this process the supervisor, or None if there is one already.

    A supervisor that is about to leave answers no poke but still holds the lock; it is waited for.
    """
    lock = FileLock(store.supervisor_lock)
    deadline = time.monotonic() + wait_seconds
    while not lock.acquire(wait_seconds=0.2):
        if poke(store, POKE) or time.monotonic() > deadline:
            return None
    return lock


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="lepton_lab.runs.supervisor", description=__doc__)
    parser.add_argument("--store", required=True, help="the run store's folder")
    parser.add_argument("--warm", action="store_true", help="keep a spare worker")
    options = parser.parse_args(arguments)
    store = Store(options.store).prepare()
    lock = elect(store)
    if lock is None:
        if options.warm:
            poke(store, POKE_WARM)
        return 0
    _begin_log(store)
    with lock:
        slots = [*device_slots(), *cluster_slots()]
        Supervisor(store, lock, Programs.from_environment(), slots, _idle_seconds(), options.warm).run()
    return 0


def _idle_seconds() -> float:
    try:
        return float(os.environ.get("LEPTON_IDLE_SECONDS", _IDLE_SECONDS))
    except ValueError:
        return _IDLE_SECONDS


def _begin_log(store: Store) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        if store.supervisor_log.stat().st_size > _LOG_BYTES:
            os.truncate(store.supervisor_log, 0)
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())

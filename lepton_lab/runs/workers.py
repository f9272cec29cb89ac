"""The supervisor's hand on training workers: starts them in order, adopts living ones, decides when one has died.

Every decision about a run is taken under the run's own lock, which its worker holds as long as it lives. So there is
never a second worker, and never a decision about a run that somebody else is moving on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lepton_lab.errors import LeptonError, StoreError
from lepton_lab.runs import snapshot, verdict
from lepton_lab.runs.control import PREEMPT, forget_commands, pending_commands, send_command, stop_queued
from lepton_lab.runs.devices import each_slot, free_slots, slot_environment, slot_kind
from lepton_lab.runs.events import EventLog, EventTail, EventWriter, RunBusy
from lepton_lab.runs.ordering import to_preempt
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import alive, exit_code, identity, read_identity, spawn_detached, terminate
from lepton_lab.runs.programs import Programs
from lepton_lab.runs.queue import Entry, Queue
from lepton_lab.runs.seat import WORKER_FILE, WORKER_LOG
from lepton_lab.runs.spare import Spare, hand_over
from lepton_lab.runs.states import ENDED, RunState
from lepton_lab.runs.summary import Fold

log = logging.getLogger("lepton_lab.supervisor")

RETRY_SECONDS = 5.0
"""How long a run is left alone after its folder could not be read or written."""
_HARD_STOP_SECONDS = 3.0


@dataclass
class Lease:
    """A run with a slot, and the process that works on it."""

    run_id: str
    slot: str
    process: dict[str, Any] | None = None
    child: subprocess.Popen[bytes] | None = None
    tail: EventTail | None = None
    fold: Fold = field(default_factory=lambda: Fold(""))
    hard_stops: dict[str, float] = field(default_factory=dict)
    """When each pending hard stop was first seen, on the clock."""
    share: float = 1.0
    """The share of a GPU that it has."""
    not_before: float = 0.0
    """When it may be started (again), on the clock."""
    making_room: bool = False
    """Whether it has been asked to make room for a run of a higher priority."""

    def has_ended(self) -> bool:
        """Whether there is no process (any more)."""
        if self.child is not None:
            return exit_code(self.child) is not None
        return not alive(self.process)


@dataclass(frozen=True)
class Trouble:
    """Why a run could not be acted on, and until when it is left alone."""

    said: str
    until: float


class WorkerPool:
    """All leases of a store.

    Args:
        store: The store.
        programs: How to start workers.
        slots: The device slots.
        spare: The warm spare.
        watch: Called with the pid of each adopted worker.
        clock: Monotonic seconds.
        on_end: Called with the name of each run that has ended, at least once; before it leaves the queue.
    """

    def __init__(
        self,
        store: Store,
        programs: Programs,
        slots: list[str],
        spare: Spare,
        watch: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
        on_end: Callable[[str], None] = lambda run_id: None,
    ) -> None:
        self._store, self._programs, self._slots, self._spare = store, programs, slots, spare
        self._watch, self._clock, self._on_end = watch, clock, on_end
        self._queue = Queue(store)
        self._leases: dict[str, Lease] = {}
        self._troubles: dict[str, Trouble] = {}

    @property
    def is_busy(self) -> bool:
        """Whether any run waits or works."""
        return bool(self._leases) or not self._queue.is_empty()

    def recover(self) -> None:
        """Takes over from a supervisor that is gone: leases by pid and start time."""
        for entry in self._queue.entries():
            if entry.slot is not None:
                self._leases[entry.run_id] = Lease(entry.run_id, entry.slot, share=entry.share)
                self._adopt(self._leases[entry.run_id], entry.worker)

    def tick(self) -> None:
        """Settles what has ended and starts what can start.

        Raises:
            StoreError: If the queue cannot be read or written.
        """
        for lease in list(self._leases.values()):
            is_due = lease.not_before <= self._clock() or self._has_pending(lease, "stop")
            if is_due and (lease.has_ended() or self._is_overdue(lease)):
                self._try_to_settle(lease)
        self._start_waiting()

    def at_work(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Each run with a living worker: its process, and how it does, for the monitor."""
        found = {}
        for lease in self._leases.values():
            if lease.process is not None and lease.not_before <= self._clock() and not lease.has_ended():
                summary = self._follow(lease).summary()
                noted = {"slot": lease.slot, "samples_per_second": summary.samples_per_second}
                noted |= {"waiting_fraction": summary.waiting_fraction}
                known = {name: value for name, value in noted.items() if value is not None}
                found[lease.run_id] = (int(lease.process["pid"]), known)
        return found

    @property
    def next_due(self) -> float | None:
        """When the next delayed restart is due, on the clock."""
        return min((each.not_before for each in self._leases.values() if each.has_ended()), default=None)

    def is_starting(self) -> bool:
        """Whether a worker is at work that has measured nothing yet."""
        return any(self._follow(lease).is_starting() for lease in self._leases.values())

    def _start_waiting(self) -> None:
        """Gives out the free slots in order; who cannot have one may take it from a run of a lower priority."""
        entries = self._queue.entries()
        left_over: dict[str, str] = {}
        kinds = {device: slot_kind(device, self._slots) for device in {entry.device for entry in entries}}
        blocked: set[str] = set()
        for entry in self._queue.waiting():
            trouble = self._troubles.get(entry.run_id)
            if trouble is not None and self._clock() < trouble.until:
                continue
            kind = kinds[entry.device]
            slot = None
            if kind not in blocked:
                slot = free_slots(entry.device, self._slots, self._taken(), entry.share, entry.devices)
            if slot is not None:
                self._lease(entry, slot)
            else:
                left_over[entry.run_id] = kind
                blocked.add(kind)  # nobody passes a run that waits for the same kind, or a large one never starts
        if left_over:
            self._make_room(entries, left_over)

    def _taken(self) -> dict[str, float]:
        """The share of each slot that is given out."""
        taken: dict[str, float] = {}
        for lease in self._leases.values():
            share = lease.share if lease.slot.startswith("cuda:") and "," not in lease.slot else 1.0
            for slot in each_slot(lease.slot):
                taken[slot] = taken.get(slot, 0.0) + share
        return taken

    def _make_room(self, entries: list[Entry], left_over: dict[str, str]) -> None:
        """Asks runs of a lower priority to save a checkpoint and go back into the queue."""
        coming = sum(lease.making_room for lease in self._leases.values())
        for leased, waiting in to_preempt(entries, left_over)[coming:]:
            lease = self._leases.get(leased.run_id)
            if lease is None or lease.making_room or not self._follow(lease).can_make_room():
                continue
            lease.making_room = True
            log.info("run %s makes room for run %s", leased.run_id, waiting.run_id)
            with contextlib.suppress(LeptonError):  # it has just ended, which makes room as well
                send_command(self._store.run_dir(leased.run_id), PREEMPT, waiting.run_id, by="supervisor")

    def _lease(self, entry: Entry, slot: str) -> None:
        if entry.run_id not in self._leases and self._queue.lease(entry.run_id, slot):
            lease = self._leases[entry.run_id] = Lease(entry.run_id, slot, share=entry.share)
            self._try_to_settle(lease)

    def _try_to_settle(self, lease: Lease) -> None:
        """Settles one run; its trouble, whatever it is, is neither the others' nor the supervisor's."""
        try:
            self._settle(lease)
            self._troubles.pop(lease.run_id, None)
        except Exception as error:
            self._complain(lease, error)
            if not snapshot.is_readable(self._store.run_dir(lease.run_id)):
                self._drop(lease)  # the list shows it as failed, with the reason
            elif lease.has_ended():
                self._queue.release(lease.run_id)  # others may have the slot until it is tried again
                self._leases.pop(lease.run_id, None)

    def _complain(self, lease: Lease, error: Exception) -> None:
        said, before = f"{type(error).__name__}: {error}", self._troubles.get(lease.run_id)
        if before is None or before.said != said:  # said once, however often it is tried again
            is_expected = isinstance(error, (LeptonError, OSError))
            log.warning("run %s: %s", lease.run_id, error, exc_info=None if is_expected else error)
        self._troubles[lease.run_id] = Trouble(said, self._clock() + RETRY_SECONDS)

    def _settle(self, lease: Lease) -> None:
        """Decides what becomes of a run that has a lease and no worker."""
        run_dir = self._store.run_dir(lease.run_id)
        if not run_dir.exists():
            self._drop(lease)
            return
        try:
            writer = EventLog.open_writer(run_dir, wait_seconds=0.0)
        except RunBusy:
            self._adopt(lease, read_identity(run_dir / WORKER_FILE))
            return
        with writer:
            was_paused = writer.state is RunState.paused or writer.fold.was_paused
            if self._may_go_on(lease, writer) and lease.not_before <= self._clock():
                self._launch(lease, writer)
        if was_paused and lease.child is not None and not self._has_pending(lease, "resume"):
            send_command(run_dir, "pause", by="supervisor")
        if lease.run_id not in self._leases:
            stop_queued(run_dir)  # a stop that came while its worker was on the way out

    def _may_go_on(self, lease: Lease, writer: EventWriter) -> bool:
        """Writes down how the last worker ended; returns whether there is to be a next one."""
        if writer.state is RunState.queued:
            if lease.child is None and lease.process is None:
                return True
            # Its worker has ended, and somebody has queued the run again since: back into the line.
            self._queue.release(lease.run_id)
            del self._leases[lease.run_id]
            return False
        judged = writer.fold.awaits_worker
        if writer.state not in ENDED and verdict.on_death(writer, self._code(lease)):
            if not judged:
                lease.not_before = self._clock() + verdict.pause_seconds(writer.fold.quick_deaths)
                lease.child = lease.process = None
            return True
        forget_commands(writer.run_dir)
        self._on_end(lease.run_id)
        self._drop(lease)
        return False

    def _launch(self, lease: Lease, writer: EventWriter) -> None:
        environment = slot_environment(lease.slot, share=lease.share)
        spare = self._spare.take()
        child = spare or spawn_detached(
            self._programs.worker(self._store, lease.run_id),
            writer.run_dir / WORKER_LOG,
            cwd=writer.run_dir,
            env={**os.environ, **environment},
        )
        lease.child, lease.process = child, dict(identity(child.pid) or {"pid": child.pid})
        lease.tail, lease.fold = EventTail(writer.run_dir), Fold(lease.run_id)
        attempt = writer.fold.attempt_restarts + 1
        try:
            self._queue.set_worker(lease.run_id, lease.process)
            writer.append("RunStarting", pid=child.pid, attempt=attempt, warm=spare is not None, slot=lease.slot)
        except StoreError as error:
            self._complain(lease, error)  # the worker is on its way, will meet the same trouble and name it
        if spare is not None:
            hand_over(spare, lease.run_id, environment)

    def _adopt(self, lease: Lease, process: dict[str, Any] | None) -> None:
        for candidate in (process, read_identity(self._store.run_dir(lease.run_id) / WORKER_FILE)):
            if alive(candidate) and candidate is not None:
                lease.process, lease.child = candidate, None
                lease.tail, lease.fold = EventTail(self._store.run_dir(lease.run_id)), Fold(lease.run_id)
                self._watch(int(candidate["pid"]))
                return
        lease.process = lease.process or process
        lease.child = None

    def _follow(self, lease: Lease) -> Fold:
        try:
            for event in lease.tail.read() if lease.tail else []:
                lease.fold.apply(event)
        except (LeptonError, AttributeError, KeyError, TypeError, ValueError):
            lease.tail = None
        return lease.fold

    def _has_pending(self, lease: Lease, name: str) -> bool:
        try:
            commands = pending_commands(self._store.run_dir(lease.run_id))
        except StoreError:
            return False
        return any(command["command"] == name for command in commands)

    def _is_overdue(self, lease: Lease) -> bool:
        """Ends a worker that does not follow a hard stop; its death is then settled as the stop."""
        try:
            commands = pending_commands(self._store.run_dir(lease.run_id))
        except StoreError:
            return False
        for command in commands:
            if command["command"] == "stop" and command["value"]["hard"]:
                seen_at = lease.hard_stops.setdefault(command["id"], self._clock())
                if self._clock() - seen_at > _HARD_STOP_SECONDS and lease.process:
                    terminate(lease.process, hard=True)
        return lease.has_ended()

    def _drop(self, lease: Lease) -> None:
        self._queue.remove(lease.run_id)
        self._leases.pop(lease.run_id, None)

    @staticmethod
    def _code(lease: Lease) -> int | None:
        return lease.child.returncode if lease.child is not None else None

"""The worker's side of a run on a Ray cluster: Ray Train starts the ranks, this process keeps the record.

The run's worker stays on its host with the queue, the record and the commands, so that every face works unchanged. A
process of its own (`placing`) speaks with Ray, which places the ranks, begins their process group, and starts all of
them anew where one has died. Where the whole cluster goes, that process goes too; the worker waits for the cluster to
come back and has the ranks go on from the last checkpoint.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_lab.errors import RunError
from lepton_lab.runs.checkpoints import newest_step
from lepton_lab.runs.early_stop import EarlyStop
from lepton_lab.runs.events import EventWriter
from lepton_lab.runs.ray_cluster import answers, patience_seconds, require_ray, wanted
from lepton_lab.scaling.door import FarListener
from lepton_lab.scaling.notes import Notes
from lepton_lab.scaling.placing import Order
from lepton_lab.scaling.shelf import Contents
from lepton_lab.scaling.together import check_task, result_of
from lepton_lab.specs import ModelSpec, TrainSpec
from lepton_lab.training.outcome import Outcome

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

KEY_BYTES = 32
LOOK_SECONDS = 1.0
"""How often it is looked whether a cluster that has gone is back."""
END_SECONDS = 15.0


def train_on_cluster(
    run_dir: Path,
    dataset: PreparedDataset,
    model_spec: ModelSpec,
    train_spec: TrainSpec,
    *,
    events: EventWriter,
    early: EarlyStop,
    store: Path,
) -> Outcome:
    """Trains on `train_spec.workers` processes of a Ray cluster, from the run's latest checkpoint when there is one.

    Args:
        run_dir: The run's folder.
        dataset: Rows and their preparation.
        model_spec: Which network.
        train_spec: How to train it, and on which cluster.
        events: The run's writer; stays here.
        early: Who takes a stop while no rank is at work.
        store: The root of the store that the dataset is in.

    Raises:
        MissingExtra: Ray is not installed.
        RunError: No cluster answers.
        RunFailed: The task cannot be shared; as in one process; or ranks died too often (reason "worker_died").
    """
    check_task(dataset, train_spec.workers)
    require_ray("Training on a cluster")
    work = _Work(run_dir, Contents.of(dataset), model_spec, train_spec, events, early, store)
    try:
        what_happened = work.do()
    finally:
        work.close()
    assert work.listener is not None
    return result_of(run_dir, dataset, model_spec, events, work.listener, what_happened)


@dataclass
class _End:
    """How the process that speaks with Ray has ended.

    Attributes:
        how: In a sentence's part.
        head: The head's address; None where no cluster answered.
        is_lost: Whether the cluster has gone, and not a rank of ours too often.
    """

    how: str
    head: str | None = None
    is_lost: bool = True


class _Work:
    """One run's way through a cluster, and through its absences."""

    def __init__(
        self,
        run_dir: Path,
        contents: Contents,
        model_spec: ModelSpec,
        train_spec: TrainSpec,
        events: EventWriter,
        early: EarlyStop,
        store: Path,
    ) -> None:
        self._run_dir, self._contents, self._store = run_dir, contents, store
        self._model_spec, self._spec, self._events, self._early = model_spec, train_spec, events, early
        self._address = train_spec.cluster or "auto"
        self._key = secrets.token_bytes(KEY_BYTES)
        self._knows_cluster = newest_step(run_dir) > 0  # the worker before this one has been there
        self._gone_since: float | None = None
        self._early_losses = 0
        self.listener: FarListener | None = None
        self._notes: Notes | None = None

    def do(self) -> str:
        """Has the run trained; returns why it could not go on, where no rank has said how it ended.

        Raises:
            RunError: No cluster answers, or it does not come back in time.
        """
        while True:
            end = self._place()
            if self.listener is not None and self.listener.is_over:
                return ""
            if end.head is None and not self._knows_cluster:
                raise RunError(end.how)
            if end.head is not None:
                self._address, self._knows_cluster, self._gone_since = end.head, True, None
                if not end.is_lost or self._restarts_left() <= 0:
                    return f"A process on the cluster could not go on ({end.how})."
                self._note_loss(end.how)
            self._wait_for_cluster()

    def close(self) -> None:
        """Hears nobody any more."""
        self._early.end()
        self._close_doors()

    def _close_doors(self) -> None:
        for door in (self.listener, self._notes):
            if door is not None:
                door.close()
        self._notes = None

    def _place(self) -> _End:
        """Has a process place the ranks, and waits for its end."""
        ours, theirs = socket.socketpair()
        environment = {**os.environ, "RAY_TRAIN_V2_ENABLED": "1"}
        command = [sys.executable, "-m", "lepton_lab.scaling.placing", str(theirs.fileno()), self._address]
        child = subprocess.Popen(command, pass_fds=(theirs.fileno(),), env=environment, stdin=subprocess.DEVNULL)
        theirs.close()
        end = _End("the process that speaks with Ray has ended")
        with ours, Connection(ours.detach()) as wire:
            try:
                while True:
                    kind, said = wire.recv()
                    if kind == "here":
                        end.head = str(said["head"])
                        wire.send(self._order(str(said["host"])))
                    elif kind == "room":
                        self._tell_room(said["lacks"])
                    else:
                        end.how, end.is_lost = str(said["how"]), bool(said["is_lost"])
                        break
            except (EOFError, OSError):
                pass
        _end(child)
        if self.listener is not None:
            self.listener.send_away()  # ranks that have outlived their cluster write nothing more
        return end

    def _order(self, host: str) -> Order:
        if self.listener is not None and self.listener.address[0] != host:
            self._close_doors()
            self.listener = None
        if self.listener is None or self._notes is None:
            keep, end_early = self._spec.keep_checkpoints, lambda: self._early.end()
            try:
                self.listener = FarListener(self._events, self._run_dir, self._key, host, keep, end_early)
                self._notes = Notes(self._run_dir, self._key, host)
            except OSError as error:
                raise RunError(
                    f"Ray says that this host's address is {host}, where nothing can listen ({error.strerror}). Start "
                    "Ray on this host with --node-ip-address and an address that it has."
                ) from None
        return Order(
            run_dir=self._run_dir,
            store=self._store,
            door=self.listener.address,
            notes=self._notes.address,
            key=self._key,
            contents=self._contents,
            model_spec=self._model_spec,
            train_spec=self._spec,
            max_failures=self._restarts_left(),
        )

    def _restarts_left(self) -> int:
        return max(0, self._spec.max_restarts - self._events.fold.attempt_restarts - self._early_losses)

    def _tell_room(self, lacks: bool) -> None:
        if lacks and self.listener is not None and not self.listener.has_rank:
            self._say(f"The run waits for {wanted(self._spec)} on the cluster.")

    def _note_loss(self, how: str) -> None:
        if self.listener is not None and self.listener.note_loss(f"The cluster has gone ({how})."):
            self._early = EarlyStop(self._events)
        else:
            self._early_losses += 1

    def _wait_for_cluster(self) -> None:
        """Returns when the head answers again.

        Raises:
            RunError: It does not within the patience that is set.
        """
        patience = patience_seconds()
        if self._gone_since is None:
            self._gone_since = time.monotonic()
            self._say(f"The run waits for the cluster at {self._address} to come back.")
        while True:
            if time.monotonic() - self._gone_since > patience:
                raise RunError(
                    f"The cluster at {self._address} did not come back within {patience:g} s "
                    "(LEPTON_CLUSTER_PATIENCE_SECONDS). Start it, then resume the run; it goes on from its last "
                    "checkpoint."
                )
            time.sleep(LOOK_SECONDS)
            if answers(self._address):
                return

    def _say(self, message: str) -> None:
        self._events.append("ClusterAwaited", message=message)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Waits until the process has taken its work off the cluster, not forever."""
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()

"""What a rank on another host does: as `ranks`, but events, commands and checkpoints go over a wire.

Rank 0 speaks with the run's worker, who alone writes the record; nothing of the run's folder has to be visible here.
A folder of the rank's own stands in for it: before a start it gets the plan and the last checkpoint, and each
checkpoint that rank 0 saves is in the run's folder before the event that tells of it.
"""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import torch

from lepton_lab.runs.atomic import write_bytes
from lepton_lab.scaling.line import Line, Silence
from lepton_lab.scaling.notes import Noted
from lepton_lab.scaling.pieces import add_piece, pieces_of
from lepton_lab.scaling.shelf import Parcel
from lepton_lab.scaling.team import Joined, MateLost, is_lost_mate
from lepton_lab.scaling.whether import training_of
from lepton_lab.specs import ModelSpec, TrainSpec
from lepton_lab.training.failures import as_run_failed
from lepton_lab.training.resuming import PLAN_FILE
from lepton_lab.training.steering import Command

LOOK_SECONDS = 0.1
"""How often the worker is asked for commands while there is nothing else to do."""


@dataclass(frozen=True)
class FarJob:
    """What the ranks of a run on a cluster are to do.

    Attributes:
        address: Where the worker listens: host and port.
        notes: Where it listens to what all ranks print and use.
        key: What it recognises its rank 0 by.
        model_spec: Which network.
        train_spec: How to train it.
        parcel: The way to the dataset.
        device: "cpu" or "cuda".
        num_threads: Threads of a rank.
    """

    address: tuple[str, int]
    notes: tuple[str, int]
    key: bytes = field(repr=False)
    model_spec: ModelSpec
    train_spec: TrainSpec
    parcel: Parcel
    device: str
    num_threads: int


class FarLine(Line):
    """Rank 0's end of the wire; what belongs into the run's folder goes before the event that tells of it."""

    def __init__(self, connection: Any, folder: Path) -> None:
        super().__init__(connection)
        self._folder, self._mutex = folder, threading.Lock()

    def append(self, event_type: str, /, **fields: Any) -> int:
        """As `Line.append`."""
        if event_type == "RunStarted":
            self.report("plan", {"content": (self._folder / PLAN_FILE).read_bytes()})
        if event_type == "CheckpointSaved":
            saved = self._folder / "checkpoints" / f"{fields['step']:010d}"
            for piece in pieces_of(saved):
                self.report("piece", piece)
            self.report("checkpoint", {"step": fields["step"], "is_best": fields["is_best"]})
        return super().append(event_type, **fields)

    def report(self, kind: str, said: dict[str, Any]) -> Any:
        """As `Line.report`; commands are asked for by another thread at times."""
        with self._mutex:
            return super().report(kind, said)


class FarControl:
    """The run's commands, asked of the worker."""

    def __init__(self, line: FarLine) -> None:
        self._line = line

    def pending(self) -> list[Command]:
        """As `RunControl.pending`."""
        return [Command(*each) for each in self._line.report("commands", {})]

    def done(self, command_id: str) -> None:
        """As `RunControl.done`."""
        self._line.report("done", {"id": command_id})

    def wait(self, timeout_seconds: float) -> None:
        """As `RunControl.wait`."""
        deadline = time.monotonic() + timeout_seconds
        while not self.pending() and (left := deadline - time.monotonic()) > 0:
            threading.Event().wait(min(left, LOOK_SECONDS))


class NoControl:
    """The commands of the other ranks: rank 0 tells them."""

    def pending(self) -> list[Command]:
        """None."""
        return []

    def done(self, command_id: str) -> None:
        """Nothing to mark."""

    def wait(self, timeout_seconds: float) -> None:
        """Does not wait."""


def work(config: dict[str, Any]) -> None:
    """The whole life of a rank; Ray Train has begun the process group."""
    job: FarJob = config["job"]
    torch.set_num_threads(job.num_threads)
    team = Joined(job.device)
    with Noted(job.notes, job.key, team.rank), tempfile.TemporaryDirectory(prefix="lepton-rank-") as name:
        folder = Path(name)
        line = FarLine(Client(job.address, authkey=job.key), folder) if team.rank == 0 else None
        begin = team.tell(line.report("begin", {"size": team.size}) if line else None)
        if begin is None:  # it is over: the worker has heard why
            return
        _unpack(folder, begin, team, line)
        try:
            _train(job, team, folder, line)
        except (MateLost, ConnectionError, EOFError):  # another rank has gone, or the worker
            raise
        except Exception as error:
            if line is not None and not is_lost_mate(error):
                _tell_failure(job, line, error)
            raise


def _train(job: FarJob, team: Joined, folder: Path, line: FarLine | None) -> None:
    outcome = training_of(
        folder,
        job.parcel.open(),
        job.model_spec,
        job.train_spec,
        line or Silence(),
        FarControl(line) if line else NoControl(),
        team=team,
        device=job.device,
        num_threads=job.num_threads,
        compares=False,
    ).run()
    if line is not None:
        ended = {"state": outcome.state, "step": outcome.step, "epoch": outcome.epoch, "metric": outcome.metric}
        line.report("ended", {**ended, "best_val_metric": outcome.best_val_metric, "seconds": outcome.seconds})


def _unpack(folder: Path, begin: dict[str, Any], team: Joined, line: FarLine | None) -> None:
    """Puts the plan and the last checkpoint where the training looks for them, on every rank's host."""
    if begin["plan"] is not None:
        write_bytes(folder / PLAN_FILE, begin["plan"])
    if begin["step"] is None:
        return
    saved = folder / "checkpoints" / f"{begin['step']:010d}"
    saved.mkdir(parents=True)
    while (piece := team.tell(line.report("next piece", {}) if line else None)) is not None:
        add_piece(saved, **piece)


def _tell_failure(job: FarJob, line: FarLine, error: Exception) -> None:
    failed = as_run_failed(error, batch_size=job.train_spec.batch_size, own_network=job.model_spec.source is not None)
    line.report("failed", {"message": str(failed), "reason": failed.reason})

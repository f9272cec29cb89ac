"""What a rank does: it meets the others, trains, and tells the worker (rank 0 alone does) what came of it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from lepton_lab.data import PreparedDataset, load
from lepton_lab.runs.paths import Store
from lepton_lab.scaling.line import Line, Silence
from lepton_lab.scaling.team import Collective, is_lost_mate
from lepton_lab.scaling.training import NotWorthIt
from lepton_lab.scaling.whether import training_of
from lepton_lab.specs import DataSpec, ModelSpec, TrainSpec
from lepton_lab.training.commands import RunControl
from lepton_lab.training.failures import as_run_failed
from lepton_lab.training.progress import Events
from lepton_lab.training.setup import Placed

LAST_WORD_SECONDS = 10.0
"""How long a rank that cannot go on leaves it to rank 0, which most likely cannot either, to say why."""

LOST_SECONDS = 1.0
"""How long a rank that has lost another one leaves it to the agent to find that one first."""

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Job:
    """What the ranks of a run are to do.

    Attributes:
        run_dir: The run's folder.
        model_spec: Which network.
        train_spec: How to train it.
        data: The dataset to load, and the store that it is in; None where `dataset` is inherited.
        dataset: The dataset, where the ranks are forks of the worker and need not load it again.
        placed: Its rows, ready for steps, in memory that all forks share.
        device: "cpu" or "cuda".
        num_threads: Threads of a rank.
        folder: A private folder in which the ranks meet.
        compares: Whether to try first if several processes are faster; what was tried before is not tried again.
    """

    run_dir: Path
    model_spec: ModelSpec
    train_spec: TrainSpec
    data: tuple[DataSpec, Path] | None
    dataset: PreparedDataset | None
    placed: Placed | None
    device: str
    num_threads: int
    folder: Path
    compares: bool


def work(job: Job, connection: Connection) -> None:
    """The whole life of a rank; a start of the elastic agent says in the environment which one it is."""
    _die_with_the_worker()
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    meeting = job.folder / f"meeting-{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    events: Events = Line(connection) if rank == 0 else Silence()
    if job.device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.set_num_threads(job.num_threads)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    try:
        team = Collective(rank, size, meeting, job.device)
        _train(job, team, events)
        team.leave()
    except Exception as error:
        _tell_failure(job, events, error)


def _train(job: Job, team: Collective, events: Events) -> None:
    dataset = job.dataset
    if dataset is None:
        assert job.data is not None
        dataset = load(job.data[0], Store(job.data[1]))
    try:
        outcome = training_of(
            job.run_dir,
            dataset,
            job.model_spec,
            job.train_spec,
            events,
            RunControl(job.run_dir),
            team=team,
            device=job.device,
            placed=job.placed,
            num_threads=job.num_threads,
            compares=job.compares,
        ).run()
    except NotWorthIt as found:
        if isinstance(events, Line):
            events.report("not worth it", found.comparison.to_dict())
        return
    if isinstance(events, Line):
        ended = {"state": outcome.state, "step": outcome.step, "epoch": outcome.epoch, "metric": outcome.metric}
        events.report("ended", {**ended, "best_val_metric": outcome.best_val_metric, "seconds": outcome.seconds})


def _tell_failure(job: Job, events: Events, error: Exception) -> None:
    """Rank 0 says why the run cannot go on, and all ranks are ended for it; another rank's failure is its death."""
    traceback.print_exc()
    sys.stderr.flush()
    is_lost = is_lost_mate(error)
    if isinstance(events, Line) and not is_lost:
        batch_size, own_network = job.train_spec.batch_size, job.model_spec.source is not None
        failed = as_run_failed(error, batch_size=batch_size, own_network=own_network)
        events.report("failed", {"message": str(failed), "reason": failed.reason})
    threading.Event().wait(LOST_SECONDS if is_lost else LAST_WORD_SECONDS)
    os._exit(1)


def _die_with_the_worker() -> None:
    """A rank ends as it is told to, and with the worker, however that ends."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

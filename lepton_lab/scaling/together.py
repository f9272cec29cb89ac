"""The worker's side of a run on several processes."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.distributed.elastic.multiprocessing.api import SignalException

from lepton_lab.errors import RunFailed
from lepton_lab.models.registry import build
from lepton_lab.runs.checkpoints import latest_checkpoint, newest_step
from lepton_lab.runs.control import send_command
from lepton_lab.runs.events import EventWriter
from lepton_lab.scaling.agent import Agent
from lepton_lab.scaling.line import Listener
from lepton_lab.scaling.ranks import Job
from lepton_lab.scaling.trial import Comparison, known_comparison
from lepton_lab.scaling.whether import load_cutting
from lepton_lab.specs import DataSpec, ModelSpec, TrainSpec
from lepton_lab.training.checkpoints import read_best
from lepton_lab.training.outcome import Outcome
from lepton_lab.training.resident import place
from lepton_lab.training.resuming import known_plan
from lepton_lab.training.threads import num_free_cores

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

MEETING = ".ranks-"
"""How the folder is called in which ranks meet."""

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def train_together(
    run_dir: Path,
    dataset: PreparedDataset,
    model_spec: ModelSpec,
    train_spec: TrainSpec,
    *,
    events: EventWriter,
    data: tuple[DataSpec, Path] | None = None,
    compares: bool = True,
) -> Outcome | None:
    """Trains on `train_spec.devices` processes, from the run's latest checkpoint when there is one.

    Ranks are forks of this process where it may fork, which must not have used more than one thread: they have torch
    and the prepared rows from the start. A rank that dies takes the others with it, and all begin again from the last
    checkpoint, which costs one of the run's restarts.

    Args:
        run_dir: The run's folder.
        dataset: Rows and their preparation.
        model_spec: Which network.
        train_spec: How to train it.
        events: The run's writer; stays here.
        data: Where ranks load the dataset that cannot inherit it: its spec and the folder of its store.
        compares: Whether to try first if several processes are faster; a run that was tried before is not tried again.

    Returns:
        How it ended; None where one process is as fast, of which the run's record tells: nothing was trained then.

    Raises:
        RunFailed: The task cannot be shared; as in one process; or ranks died too often (reason "worker_died").
    """
    torch.set_num_threads(1)  # what has used more of them cannot fork
    devices = train_spec.devices
    check_task(dataset, devices)
    compares = compares and train_spec.shard != "always"
    comparison = known_comparison(run_dir, devices) if compares else None
    if comparison is not None and not comparison.is_worth_it:
        return None
    device = _device(train_spec)
    forks = device == "cpu" and data_can_be_inherited()
    for left_behind in run_dir.glob(f"{MEETING}*"):  # by a worker that was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=MEETING, dir=run_dir))
    job = Job(
        run_dir=run_dir,
        model_spec=model_spec,
        train_spec=train_spec,
        data=data,
        dataset=dataset if forks else None,
        placed=_placed(dataset) if forks else None,
        device=device,
        num_threads=max(1, (train_spec.threads or num_free_cores()) // devices),
        folder=folder,
        compares=compares,
    )
    if forks and train_spec.shard == "always":
        load_cutting()  # once for all ranks
    listener = Listener(events)
    agent = Agent(
        job,
        num_ranks=devices,
        start_method="fork" if forks else "spawn",
        max_restarts=max(0, train_spec.max_restarts - events.fold.attempt_restarts),
        listener=listener,
        on_restart=lambda how: note_restart(events, how),
    )
    try:
        _run(agent, listener)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if "not worth it" in listener.said:
        _tell_comparison(Comparison(**listener.said["not worth it"]), devices, events)
        return None
    return result_of(run_dir, dataset, model_spec, events, listener, agent.what_happened)


def check_task(dataset: PreparedDataset, devices: int) -> None:
    """Refuses what several processes cannot share.

    Raises:
        RunFailed: With the reason.
    """
    if dataset.task == "detection":
        raise RunFailed(
            f"devices is {devices}, but a detector's loss is a mean over the boxes of a whole step, which processes "
            "cannot share; train it with devices=1.",
            "error",
        )


def data_can_be_inherited() -> bool:
    """Whether this process may fork: not on macOS, whose libraries do not allow it."""
    return hasattr(os, "fork") and os.uname().sysname == "Linux"


def _run(agent: Agent, listener: Listener) -> None:
    """Runs the agent; a signal that asks this process to end still ends it, once no rank is left."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    try:
        agent.run()
    except SignalException as asked:
        signal.signal(asked.sigval, signal.SIG_DFL)
        os.kill(os.getpid(), asked.sigval)
    finally:
        listener.hear_out()
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_comparison(found: Comparison, devices: int, events: EventWriter) -> None:
    shared, alone = f"{1e3 * found.shared_seconds:.3g}", f"{1e3 * found.alone_seconds:.3g}"
    events.append(
        "WarningRaised",
        message=f"The run trains in one process, because a step took {shared} ms in {devices} processes and "
        f"{alone} ms in one, in a trial of some steps.",
    )


def result_of(
    run_dir: Path,
    dataset: PreparedDataset,
    model_spec: ModelSpec,
    events: EventWriter,
    listener: Listener,
    what_happened: str,
) -> Outcome:
    """How a shared training ended, with the network of its last checkpoint.

    Args:
        run_dir: The run's folder.
        dataset: What was trained on.
        model_spec: Which network.
        events: The run's writer.
        listener: What rank 0 has said.
        what_happened: Why there is no rank any more, where rank 0 could not say how it ended.

    Raises:
        RunFailed: Rank 0 said why, or ranks died too often.
    """
    if "failed" in listener.said:
        failed = listener.said["failed"]
        raise RunFailed(failed["message"], failed["reason"])
    if "ended" not in listener.said:
        again = events.fold.attempt_restarts
        raise RunFailed(f"{what_happened} The run was restarted {again} times (max_restarts).", "worker_died")
    plan = known_plan(run_dir)
    assert plan is not None
    torch.set_num_threads(plan.threads)
    module = build(model_spec, dataset.problem, starts_anew=False)
    saved = latest_checkpoint(run_dir)
    if saved is not None:
        module.load_state_dict(read_best(saved[1]))
    return Outcome(module=module, plan=plan, **listener.said["ended"])


def note_restart(events: EventWriter, how: str) -> None:
    """Writes down that all ranks begin again; a run that was paused holds again before its next step."""
    attempt, was_paused = events.fold.attempt_restarts + 1, events.state == "paused"
    from_step = newest_step(events.run_dir)
    events.append("RunRestarted", attempt=attempt, from_step=from_step, reason="rank_died", message=how)
    events.append("RunStarting", pid=os.getpid(), attempt=attempt + 1, warm=True)
    if was_paused:
        send_command(events.run_dir, "pause", by="supervisor")


def _device(spec: TrainSpec) -> str:
    """Where the ranks train; asked of the driver alone, because a process that has used a GPU cannot fork."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    return "cuda" if spec.device != "cpu" and torch.cuda.is_available() else "cpu"


def _placed(dataset: PreparedDataset) -> dict[str, object]:
    """The prepared rows, once for all ranks."""
    device = torch.device("cpu")
    return {name: place(dataset, name, device) for name in ("train", "validation") if len(dataset.splits[name].labels)}

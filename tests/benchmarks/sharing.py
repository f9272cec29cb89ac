"""Two ranks and one, in turns: `python -m tests.benchmarks.sharing (steps|whole) MATERIAL NUMBER_FORMAT BATCH_SIZE`.

`steps` prints JSON: seconds of a step of the Fashion-MNIST `cnn` of each turn, by side. The ranks are the product's
(its team, its step, its plan), forked by this process; one rank alone is rank 0 while the other one sleeps, so that all
sides have the same machine at nearly the same moment. The peer is torch's own DistributedDataParallel with half of the
rows in each process: its batch norms see their own half, so that it is not the curve of one process.

`whole` trains a small `mlp` as a run does, with devices=1 and devices=2 in turns, and prints JSON: seconds of the
training, of the whole with the trial before it, and how many processes were used.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from lepton_lab.data import load
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from lepton_lab.scaling.memory import quickest
from lepton_lab.scaling.step import SharedStep
from lepton_lab.scaling.team import Collective
from lepton_lab.scaling.together import train_together
from lepton_lab.specs import DataSpec, ModelSpec, TrainSpec
from lepton_lab.training.commands import RunControl
from lepton_lab.training.loop import train
from lepton_lab.training.resident import place
from lepton_lab.training.setup import make_optimizer, prepare
from lepton_lab.training.step import Step, parts_of

NUM_RANKS, NUM_TURNS, STEPS_PER_TURN, STEPS_TO_WAKE = 2, 12, 20, 2
NUM_WHOLE = 3
SMALL = ModelSpec(name="mlp", options={"hidden": 64, "layers": 2})


def work(rank: int, meeting: str, dataset: Any, placed: Any, precision: Any, batch_size: int, answers: Any) -> None:
    """One rank's turns."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    team = Collective(rank, NUM_RANKS, Path(meeting), "cpu")
    options = TrainSpec(epochs=20, batch_size=batch_size, augment="none", device="cpu", threads=1, precision=precision)
    spec = ModelSpec(name="cnn")
    parts = prepare(dataset, spec, options, placed=placed)
    quick = quickest(team, parts.num_parameters + 100_000)
    sides: dict[str, Any] = {}
    for name in ("one thread", "two threads", "two ranks", "DDP"):
        own = prepare(dataset, spec, options, placed=placed)
        module = DistributedDataParallel(own.module) if name == "DDP" else own.module
        needed = (module, make_optimizer(own.module, own.plan), own.objective, own.plan)
        step = SharedStep(*needed, quick) if name == "two ranks" else Step(*needed)
        sides[name] = (own.feed, step)
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(NUM_TURNS + 2):
        for name, (feed, step) in sides.items():
            team.wait()
            if "thread" in name and rank:
                continue
            torch.set_num_threads(2 if name == "two threads" else 1)
            first = turn * (STEPS_TO_WAKE + STEPS_PER_TURN)
            for number in range(first, first + STEPS_TO_WAKE + STEPS_PER_TURN):
                if number == first + STEPS_TO_WAKE:  # a rank that has slept comes some milliseconds late
                    began = time.perf_counter()
                batch = feed.at(number)
                if name == "DDP":
                    batch = list(parts_of(batch, batch_size // NUM_RANKS))[rank]
                step(batch, 1e-3)[0].item()
            taken[name].append((time.perf_counter() - began) / STEPS_PER_TURN)
    team.wait()
    if rank == 0:
        answers.put({name: each[2:] for name, each in taken.items()})
    team.leave()


def steps(material: str, folder: Path, precision: str, batch_size: int) -> Any:
    """Forks the ranks and returns what they measured."""
    dataset = load(DataSpec(name="fashion-mnist", mirror=material), Store(folder).prepare())
    placed = {"train": place(dataset, "train", torch.device("cpu"))}
    answers = mp.get_context("fork").SimpleQueue()
    needed = (str(folder / "meeting"), dataset, placed, precision, batch_size, answers)
    mp.start_processes(work, args=needed, nprocs=NUM_RANKS, start_method="fork")
    return answers.get()


def whole(material: str, folder: Path, precision: str, batch_size: int) -> Any:
    """Trains a small network with and without `devices=2`, as a worker does."""
    dataset = load(DataSpec(name="fashion-mnist", mirror=material), Store(folder).prepare())
    found: dict[str, list[Any]] = {"1": [], "2": []}
    for turn in range(NUM_WHOLE + 1):
        for devices in (1, 2):
            run_dir = folder / f"run-{turn}-{devices}"
            (run_dir / "control").mkdir(parents=True)
            options = TrainSpec(
                epochs=2,
                batch_size=batch_size,
                augment="none",
                devices=devices,
                device="cpu",
                threads=1,
                precision=precision,  # type: ignore[arg-type]
            )
            began = time.perf_counter()
            with EventLog.open_writer(run_dir) as events:
                events.append("RunStarting", pid=os.getpid(), attempt=1, warm=False)
                outcome = train_together(run_dir, dataset, SMALL, options, events=events) if devices > 1 else None
                used = 1 if outcome is None else devices
                if outcome is None:
                    control = RunControl(run_dir)
                    outcome = train(run_dir, dataset, SMALL, options, events=events, control=control)
            found[str(devices)].append((outcome.seconds, time.perf_counter() - began, used))
    return {devices: turns[1:] for devices, turns in found.items()}


def main(what: str, material: str, precision: str, batch_size: str) -> None:
    """Measures and prints."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="lepton-bench-") as folder:
        print(json.dumps({"steps": steps, "whole": whole}[what](material, Path(folder), precision, int(batch_size))))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Stores with many runs, for benchmarks of lists."""

from __future__ import annotations

import shutil

from lepton_lab.runs import EventLog, Store, create_run
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec

NUM_RUNS = 2000
SPEC = RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec())


def fill(store: Store, num_runs: int) -> None:
    """Puts so many runs into a store, each with the events of a finished run of 60 epochs."""
    run = create_run(store, SPEC)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", steps_per_epoch=10, device="cpu", metric="accuracy")
        for epoch in range(1, 61):
            writer.append("EpochEnded", epoch=epoch, step=10 * epoch, val_accuracy=epoch / 60, val_loss=0.1)
        writer.append("RunFinished", step=600, epoch=60.0)
    for number in range(1, num_runs):
        copy = store.runs_dir / f"copy-{number}"
        copy.mkdir()
        for name in ("events.jsonl", "summary.json", "spec.json"):
            shutil.copy(run.dir / name, copy / name)

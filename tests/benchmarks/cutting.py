"""Memory of a process that trains a large network, whole or a part: `python -m tests.benchmarks.cutting SHARD DEVICES`.

Two epochs of a step each of a Transformer of 151 million weights, with AdamW, validation and checkpoints, on the
processor. Prints what the largest process of the run had at its peak, in megabytes, and the losses.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path

import torch

from lepton_lab.runs.events import EventLog, read_events
from lepton_lab.scaling.together import train_together
from lepton_lab.specs import ModelSpec, TrainSpec
from lepton_lab.training.commands import RunControl
from lepton_lab.training.loop import train
from tests.training.training_lab import stripes

NETWORK = ModelSpec(name="transformer", options={"width": 1024, "heads": 16, "layers": 12, "dropout": 0.0})


def peak(shard: str, devices: int) -> dict[str, object]:
    """Trains, and says what the largest training process took."""
    options = {"epochs": 2, "batch_size": 16, "threads": 1, "device": "cpu", "checkpoint_every_seconds": 3600.0}
    rows = stripes(16, num_validation=8)
    with tempfile.TemporaryDirectory(prefix="lepton-bench-") as name, EventLog.open_writer(Path(name)) as events:
        run_dir = Path(name)
        (run_dir / "control").mkdir()
        events.append("RunStarting", pid=os.getpid(), attempt=1, warm=False)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if devices == 1:
            train(run_dir, rows, NETWORK, TrainSpec(**options), events=events, control=RunControl(run_dir))
            taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        else:
            spec = TrainSpec(**options, devices=devices, shard=shard)
            train_together(run_dir, rows, NETWORK, spec, events=events, compares=False)
            taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        told = list(read_events(run_dir))
    (started,) = [event for event in told if event["type"] == "RunStarted"]
    return {
        "num_parameters": started["num_parameters"],
        "peak_megabytes": round(taken / 1024, 1),
        "before_megabytes": round(before / 1024, 1),
        "val_losses": [event["val_loss"] for event in told if event["type"] == "EpochEnded"],
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(peak(sys.argv[1], int(sys.argv[2]))))

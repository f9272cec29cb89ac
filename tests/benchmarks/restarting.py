"""From a killed rank to the next step: `python -m tests.benchmarks.restarting (ours|torchrun) MATERIAL FOLDER`.

Prints JSON: the seconds of each kill. Both sides train a network of the same layers on two ranks on Fashion-MNIST, and
lose rank 1 by SIGKILL some steps after a checkpoint.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from lepton_lab.data import load
from lepton_lab.runs.events import EventLog, EventWriter, read_events
from lepton_lab.runs.paths import Store
from lepton_lab.scaling.together import train_together
from lepton_lab.specs import DataSpec, ModelSpec, TrainSpec
from tests.waiting import wait_until

NUM_KILLS, STEPS_BEFORE = 3, 30
PATIENCE_SECONDS = 90.0
PEER = Path(__file__).with_name("torchrun_peer.py")


class Killing:
    """Events on disk; after some of each start of the ranks, rank 1 is killed.

    Args:
        events: Where they go.
    """

    def __init__(self, events: EventWriter) -> None:
        self._events, self._seen = events, 0
        self.killed: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)

    def append(self, event_type: str, /, **fields: Any) -> int:
        """Writes one event, and kills when it is time to."""
        number = self._events.append(event_type, **fields)
        self._seen = 0 if event_type == "RunStarted" else self._seen + (event_type == "MetricsRecorded")
        if event_type == "MetricsRecorded" and self._seen == 6 and len(self.killed) < NUM_KILLS:
            rank = sorted(psutil.Process().children(), key=lambda child: (child.create_time(), child.pid))[1]
            self.killed.append(time.time())
            os.kill(rank.pid, signal.SIGKILL)
        return number


def ours(material: str, folder: Path) -> list[float]:
    """The product: an elastic agent in the worker, ranks that are forks of it."""
    dataset = load(DataSpec(name="fashion-mnist", mirror=material), Store(folder).prepare())
    run_dir = folder / "run"
    (run_dir / "control").mkdir(parents=True)
    options = TrainSpec(
        epochs=1, batch_size=64, augment="none", devices=2, device="cpu", checkpoint_every_seconds=0.5, max_restarts=9
    )
    with EventLog.open_writer(run_dir) as writer:
        writer.append("RunStarting", pid=os.getpid(), attempt=1, warm=False)
        events = Killing(writer)
        train_together(run_dir, dataset, ModelSpec(name="cnn"), options, events=events, compares=False)  # type: ignore[arg-type]
    seconds, killed = [], iter(events.killed)
    is_waiting = False
    for event in read_events(run_dir):
        is_waiting |= event["type"] == "RunRestarted"
        if is_waiting and event["type"] == "MetricsRecorded":
            seconds.append(event["time"] - next(killed))
            is_waiting = False
    return seconds


def torchrun(material: str, folder: Path) -> list[float]:
    """The peer: torchrun as it comes, which starts its script anew; now and then it hangs, and is then begun again."""
    dataset = load(DataSpec(name="fashion-mnist", mirror=material), Store(folder).prepare())
    train = dataset.splits["train"]
    np.save(folder / "rows.npy", dataset.preparation.apply(np.asarray(train.inputs[:])).astype(np.float32))
    np.save(folder / "labels.npy", np.asarray(train.labels[:]).astype(np.int64))
    argv = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    argv += ["--max-restarts", "20", str(PEER), str(folder)]
    steps = folder / "steps.txt"
    steps.touch()
    seconds: list[float] = []
    while len(seconds) < NUM_KILLS:
        with open(folder / "torchrun.log", "w") as log:
            run = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
        try:
            while len(seconds) < NUM_KILLS:
                seconds.append(_kill_once(folder, steps))
        except AssertionError:
            print(f"torchrun did not come back within {PATIENCE_SECONDS:g} s", file=sys.stderr)
            seconds.append(PATIENCE_SECONDS)
        finally:
            run.send_signal(signal.SIGTERM)
            run.wait(60)
    return seconds


def _kill_once(folder: Path, steps: Path) -> float:
    begun = len(_lines(steps))
    wait_until(lambda: len(_lines(steps)) >= begun + STEPS_BEFORE, "steps", PATIENCE_SECONDS)
    before = _lines(steps)[-1][1]
    killed = time.time()
    os.kill(int((folder / "rank-1.pid").read_text()), signal.SIGKILL)
    wait_until(lambda: _lines(steps)[-1][1] != before, "a step after the restart", PATIENCE_SECONDS)
    return next(when for when, process in _lines(steps) if when > killed and process != before) - killed


def _lines(steps: Path) -> list[tuple[float, int]]:
    """Time and process of each step."""
    whole = steps.read_text().rpartition("\n")[0].splitlines()
    return [(float(when), int(process)) for when, process in map(str.split, whole)] or [(0.0, 0)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    side = {"ours": ours, "torchrun": torchrun}[sys.argv[1]]
    print(json.dumps(side(sys.argv[2], Path(sys.argv[3]))))

"""The same loop under Ray Train and under torchrun, in turns: `python -m tests.benchmarks.raytrain_peer`.

Prints JSON: `{"seconds": {side: [of each turn]}, "processor_seconds": {...}, "start": {side: seconds}}`. Both sides
keep two ranks at hand with DistributedDataParallel, the network of `torchrun_peer` and one batch; a turn is some steps
of one side while the other sleeps. What is measured is the launcher, so nothing of lepton_lab is in the loop.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tests.benchmarks.torchrun_peer import BATCH_SIZE, block
from tests.waiting import wait_until

SIDES, NUM_TURNS, STEPS, WARM_STEPS = ("torchrun", "ray train"), 16, 20, 10
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.002


def loop(folder: Path, side: str) -> None:
    """A rank's life: warms up, then takes its turns."""
    torch.set_num_threads(1)
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    layers = [*block(1, 32, halve=True), *block(32, 32, halve=False)]
    layers += [*block(32, 64, halve=True), *block(64, 64, halve=False)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    model = DistributedDataParallel(nn.Sequential(*layers))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rows, labels = torch.rand(BATCH_SIZE // size, 1, 28, 28), torch.randint(0, 10, (BATCH_SIZE // size,))
    loss_of = nn.CrossEntropyLoss()

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            loss_of(model(rows), labels).backward()
            optimizer.step()

    steps(WARM_STEPS)
    if rank == 0:
        (folder / f"{side}-ready").touch()
    for turn in range(NUM_TURNS):
        while not (folder / f"{side}-{turn}.go").exists():
            time.sleep(LOOK_SECONDS)
        dist.barrier()
        began, busy = time.perf_counter(), time.process_time()
        steps(STEPS)
        dist.barrier()
        taken = [time.perf_counter() - began, time.process_time() - busy]
        if rank == 0:
            (folder / "part").write_text(json.dumps(taken))
            (folder / "part").rename(folder / f"{side}-{turn}.json")


def under_torchrun(folder: str) -> None:
    """A rank that torchrun has started."""
    dist.init_process_group("gloo")
    loop(Path(folder), SIDES[0])
    dist.destroy_process_group()


def under_ray_train(folder: str) -> None:
    """The driver of Ray Train's side, with a cluster of this machine alone."""
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    TorchTrainer(
        _rank,
        train_loop_config={"folder": folder},
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(name="peer", storage_path=str(Path(folder) / "ray")),
    ).fit()
    ray.shutdown()


def _rank(config: dict[str, Any]) -> None:
    loop(Path(config["folder"]), SIDES[1])


def measure() -> dict[str, Any]:
    """Starts one side after the other and has them take turns."""
    found: dict[str, Any] = {"seconds": {}, "processor_seconds": {}, "start": {}}
    # Ray's workers give way to every other process as they come; a launcher is compared at the same rank.
    env = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0", "RAY_TRAIN_V2_ENABLED": "1"}
    env |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "CUDA_VISIBLE_DEVICES": ""}
    env["PYTHONPATH"] = os.pathsep.join([os.getcwd(), env.get("PYTHONPATH", "")])
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    module, children = "tests.benchmarks.raytrain_peer", []
    with tempfile.TemporaryDirectory(prefix="lepton-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            for side, start in zip(SIDES, ([*torchrun, module, "torchrun"], ["-m", module, "ray"]), strict=True):
                began = time.monotonic()
                with open(folder / f"{side}.log", "wb") as log:
                    command = [sys.executable, "-W", "ignore", *start, name]
                    children.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
                wait_until((folder / f"{side}-ready").exists, side, PATIENCE_SECONDS, LOOK_SECONDS)
                found["start"][side] = time.monotonic() - began
            for turn in range(NUM_TURNS):
                for side in SIDES if turn % 2 else reversed(SIDES):
                    (folder / f"{side}-{turn}.go").touch()
                    done = folder / f"{side}-{turn}.json"
                    wait_until(done.exists, f"turn {turn} of {side}", PATIENCE_SECONDS, LOOK_SECONDS)
                    taken = json.loads(done.read_text())
                    found["seconds"].setdefault(side, []).append(taken[0])
                    found["processor_seconds"].setdefault(side, []).append(taken[1])
        finally:
            for child in children:
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
    return found


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"torchrun": under_torchrun, "ray": under_ray_train}[sys.argv[1]](sys.argv[2])
    else:
        print(json.dumps(measure()))

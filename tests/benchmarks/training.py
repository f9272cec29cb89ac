"""The training kernel beside its peers: what a step costs, how soon an accuracy is reached, and in how much memory.

Machines are shared, so processor time stands beside wall time, sides take turns, and each figure is the median with
the interval of what was measured.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.frameworks import LOOPS, STEPS_PER_EPOCH, bare_steps, kernel_steps
from tests.benchmarks.reaching import SETS
from tests.benchmarks.rows import Row, row
from tests.benchmarks.spine import first_point

PEERS = {"lightning": "lightning", "keras": "keras", "skorch": "skorch", "ignite": "ignite"}
"""Peers that need a package, by loop."""

STEPS_PER_TURN, NUM_TURNS = 128, 40


def step_overhead() -> list[Row]:
    """A step of the kernel, live accuracy on, against bare loops over resident tensors, in turns in one process."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        epochs = 2 * (NUM_TURNS + 4) * STEPS_PER_TURN // STEPS_PER_EPOCH
        sides = {
            "kernel": kernel_steps(Path(folder), epochs),
            "fused": bare_steps(fused=True),
            "default": bare_steps(),
        }
        for steps in sides.values():
            _turn(steps)
        turns = [{name: _turn(steps) for name, steps in sides.items()} for _ in range(NUM_TURNS)]
        for steps in sides.values():
            steps.close()  # type: ignore[attr-defined]
    rows = []
    for name, said, goal in (("fused", "fused Adam", "<= 1.03"), ("default", "Adam as it comes", "<= 1.03")):
        ratios = [turn["kernel"] / turn[name] for turn in turns]
        micros = {side: round(statistics.median(turn[side] for turn in turns) * 1e6) for side in ("kernel", name)}
        measure = f"step with live accuracy against a bare loop, {said} (MLP, batch 32), processor time"
        rows.append(row("kernel", measure, ratios, goal, **{f"{key}_us": value for key, value in micros.items()}))
    return rows


def _turn(steps: Iterator[None]) -> float:
    """Processor seconds of a step."""
    began = time.thread_time()
    for _ in range(STEPS_PER_TURN):
        next(steps)
    return (time.thread_time() - began) / STEPS_PER_TURN


def peers(repeats: int = 3) -> list[Row]:
    """A step of each framework, in processes of their own that take turns, and its ratio to the kernel's."""
    known = [name for name in LOOPS if name not in PEERS or importlib.util.find_spec(PEERS[name])]
    for name in set(LOOPS) - set(known):
        print(f"{name} is left out: it is not installed (pip install 'lepton-lab[bench]')", file=sys.stderr)
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in known}
    for _ in range(repeats):
        for name in known:
            taken[name].append(_json("tests.benchmarks.frameworks", name))
    ours = statistics.median(each["cpu"] for each in taken["kernel"])
    rows = []
    for name, found in taken.items():
        cpu, wall = [each["cpu"] for each in found], [each["wall"] for each in found]
        times = {"times_kernel": round(statistics.median(cpu) / ours, 2), "wall_us": round(statistics.median(wall))}
        rows.append(row("kernel", f"step of {name} (MLP, batch 32), processor microseconds", cpu, "report", **times))
    return rows


def reaching(seeds: tuple[int, ...] = (0, 1, 2)) -> list[Row]:
    """Seconds to the same accuracy, and memory at peak, against the tutorial loop."""
    material = Path(os.environ.get("LEPTON_TEST_DATA", "../shared/data"))
    goals = {"fashion-mnist": ">= 4", "fashion-mnist-muon": ">= 4", "sentence-polarity": ">= 3"}
    rows: list[Row] = []
    for name, task in SETS.items():
        if not (material / task.path).exists():
            print(f"{name} is left out: {material} is not there (set LEPTON_TEST_DATA)", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory(prefix="lepton-bench-") as store:
            pairs = [
                tuple(_json("tests.benchmarks.reaching", who, name, str(material), store, str(seed)) for who in SIDES)
                for seed in seeds
            ]
        said = f"{name} {task.model} to {task.accuracy}"
        for key, what in (("cpu_seconds", "processor time"), ("seconds", "wall time")):
            ratios = [theirs[key] / ours[key] for ours, theirs in pairs]
            both = {side: round(statistics.median(p[i][key] for p in pairs), 1) for i, side in enumerate(SIDES)}
            goal = goals[name] if key == "cpu_seconds" else "report"
            rows.append(row("kernel", f"{said}: times faster than the tutorial loop, {what}", ratios, goal, **both))
        reached = [ours["accuracy"] for ours, _ in pairs]
        theirs = {"tutorial": [round(each["accuracy"], 4) for _, each in pairs]}
        rows.append(row("kernel", f"{said}: test accuracy of the kernel", reached, f">= {task.accuracy}", **theirs))
        memory = [ours["peak_mb"] / theirs["peak_mb"] for ours, theirs in pairs]
        both = {side: round(statistics.median(p[i]["peak_mb"] for p in pairs)) for i, side in enumerate(SIDES)}
        rows.append(row("kernel", f"{said}: memory at peak against the tutorial loop", memory, "<= 1.0", **both))
    return rows


SIDES = ("kernel", "tutorial")


def cold() -> list[Row]:
    """From the call to the first step that a viewer sees, with and without a warm worker."""
    warm, without = first_point()
    return [
        row("kernel", "first step after train, warm worker, seconds", list(warm.samples), "<= 0.2"),
        row("kernel", "first step after train, no warm worker, seconds", list(without.samples), "<= 2.7"),
    ]


def _json(module: str, *arguments: str) -> Any:
    """What a process prints in its last line."""
    env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    said = json.loads(done.stdout.splitlines()[-1])
    print(f"  {module.rpartition('.')[2]} {' '.join(arguments[:2])}: {said}", flush=True)
    return said


def measure() -> list[Row]:
    """All rows of the training kernel."""
    return [*step_overhead(), *peers(), *cold(), *reaching()]


if __name__ == "__main__":
    from tests.benchmarks.rows import put

    chosen = [globals()[name] for name in sys.argv[1:]] or [measure]
    sys.exit(0 if put([one for make in chosen for one in make()], Path("bench.json")) else 1)

"""One run on two processes beside one, and beside plain torchrun when one of them is killed.

Wall time, because two processes are to save that: the figures hold on a machine that does nothing else and has at least
two cores. Sides take turns, each figure is the median of the turns.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.rows import Row, row

MATERIAL = Path(os.environ.get("LEPTON_TEST_DATA", "../shared/data"))
FORMATS = {"float32": "float32", "auto": "the product's choice of number format"}
SETTINGS = (("float32", 64), ("float32", 256), ("float32", 512), ("auto", 64), ("auto", 256))


def shared_steps() -> list[Row]:
    """A step of the Fashion-MNIST `cnn`, with the batch that the product chooses and larger ones."""
    rows = []
    for precision, batch_size in SETTINGS:
        taken = _json("tests.benchmarks.sharing", "steps", str(MATERIAL.resolve()), precision, str(batch_size))
        millis = {name: round(1e3 * min(each), 2) for name, each in taken.items()}
        what = f"Fashion-MNIST cnn, batch {batch_size}, {FORMATS[precision]}: two ranks are faster than"
        rows += [
            _times(f"{what} one with one thread, times", taken, "one thread", ">= 1.8", **millis),
            _times(f"{what} one with two threads, times", taken, "two threads", ">= 1.0"),
            _times(f"{what} DDP, whose norms are apart, times", taken, "DDP", ">= 1.0"),
        ]
    return rows


def _times(measure: str, taken: dict[str, list[float]], other: str, goal: str, **more: float) -> Row:
    ratios = [theirs / ours for theirs, ours in zip(taken[other], taken["two ranks"], strict=True)]
    return row("scale", measure, ratios, goal, **more)


def small_network() -> list[Row]:
    """A network that is too small to share: the trial finds that out, and the run has the speed of one process."""
    taken = _json("tests.benchmarks.sharing", "whole", str(MATERIAL.resolve()), "auto", "64")
    used = [each[2] for each in taken["2"]]
    speed = [one[0] / two[0] for one, two in zip(taken["1"], taken["2"], strict=True)]
    trial = [two[1] - two[0] - (one[1] - one[0]) for one, two in zip(taken["1"], taken["2"], strict=True)]
    return [
        row("scale", "small MLP, devices=2: speed of training against devices=1", speed, ">= 0.95", processes=used),
        row("scale", "small MLP, devices=2: seconds until the trial has said so", trial, "report"),
    ]


def restart() -> list[Row]:
    """From a killed rank to the next step."""
    taken = {}
    for side in ("ours", "torchrun"):
        with tempfile.TemporaryDirectory(prefix="lepton-bench-") as folder:
            taken[side] = _json("tests.benchmarks.restarting", side, str(MATERIAL.resolve()), folder)
    ratios = [theirs / mine for mine, theirs in zip(sorted(taken["ours"]), sorted(taken["torchrun"]), strict=True)]
    seconds = {side: [round(each, 2) for each in found] for side, found in taken.items()}
    return [row("scale", "killed rank to next step: times faster than torchrun's restart", ratios, ">= 2", **seconds)]


def cut_network() -> list[Row]:
    """Memory of the largest training process where a network of 151 million weights is whole, and where it is cut."""
    taken = {name: _json("tests.benchmarks.cutting", *name.split()) for name in ("never 1", "always 2", "always 4")}
    peaks = {name: each["peak_megabytes"] for name, each in taken.items()}
    whole, *cut = (each["val_losses"] for each in taken.values())
    apart = max(abs(mine - theirs) / theirs for each in cut for mine, theirs in zip(each, whole, strict=True))
    said = f"Transformer of {taken['never 1']['num_parameters'] / 1e6:.0f} million weights, shard=always:"
    memory = [
        row("scale", f"{said} peak memory of a process, {ranks} ranks, against one whole process, times",
            [peaks[f"always {ranks}"] / peaks["never 1"]], goal, megabytes=peaks)
        for ranks, goal in ((2, "<= 0.6"), (4, "<= 0.4"))
    ]  # fmt: skip
    return [*memory, row("scale", f"{said} validation losses, apart by a share of at most", [apart], "<= 0.00001")]


def launchers() -> list[Row]:
    """Ray Train beside torchrun: the same loop, one side after the other; nothing where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        print("Ray Train beside torchrun is left out: install lepton-lab[ray]", file=sys.stderr)
        return []
    taken = _json("tests.benchmarks.raytrain_peer")
    mine, theirs = taken["seconds"]["ray train"], taken["seconds"]["torchrun"]
    busy = [statistics.median(taken["processor_seconds"][side]) for side in ("ray train", "torchrun")]
    millis = {side: round(1e3 * statistics.median(found) / 20, 2) for side, found in taken["seconds"].items()}
    start = {side: round(seconds, 1) for side, seconds in taken["start"].items()}
    said = "Ray Train, two ranks, batch 64: a step"
    return [
        row("scale", f"{said} against torchrun's, times", [a / b for a, b in zip(mine, theirs, strict=True)], "<= 1.03",
            processor=round(busy[0] / busy[1], 3), **millis),
        row("scale", "Ray Train: seconds from the start to the first steps", [start["ray train"]], "report", **start),
    ]  # fmt: skip


def _json(module: str, *arguments: str) -> Any:
    """What a process prints in its last line."""
    env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def measure() -> Sequence[Row]:
    """All rows; none where the data is not there."""
    if not (MATERIAL / "fashion-mnist").exists():
        print(f"scale is left out: {MATERIAL} is not there (set LEPTON_TEST_DATA)", file=sys.stderr)
        return []
    return [*shared_steps(), *small_network(), *restart(), *cut_network(), *launchers()]


if __name__ == "__main__":
    from tests.benchmarks.rows import put

    chosen = [globals()[name] for name in sys.argv[1:]] or [measure]
    sys.exit(0 if put([one for make in chosen for one in make()], Path("bench.json")) else 1)

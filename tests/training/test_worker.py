"""The worker as the supervisor starts it: killed and started again, handed a run while warm, failing with a name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton_lab import worker
from lepton_lab.data import from_arrays, load
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.runs.curve import Curve
from lepton_lab.runs.events import EventLog, read_events
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, create_run
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec
from lepton_lab.training.loop import train
from tests.ledger import Ledger
from tests.training.training_lab import Script
from tests.waiting import wait_until

PATIENCE_SECONDS = 600.0
"""How long a worker may take on a machine that is busy with other things; alone it takes seconds."""
CNN = ModelSpec(name="cnn", options={"channels": 8, "stages": 1})
OWN = """
import os
import torch
from torch import nn

class Own(nn.Module):
    def __init__(self, num_classes, ends=None):
        super().__init__()
        self.head = nn.Linear(64, num_classes)
        self.ends = ends
        self.num_steps = 0

    def forward(self, x):
        self.num_steps += self.training
        if self.num_steps >= 5:
            if self.ends == "gpu":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            if self.ends == "limit":
                import resource
                used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, resource.RLIM_INFINITY))
                self.filled = [torch.ones(2**22) for _ in range(2**16)]
            if self.ends == "memory":
                torch.empty(2**58)
            if self.ends == "nan":
                return self.head(x.flatten(1)) * float("nan")
            if self.ends == "index":
                return self.head(x.flatten(1))[:, 77]
            if self.ends == "environment":
                raise ValueError(os.environ["CUDA_VISIBLE_DEVICES"])
        return self.head(x.flatten(1))
"""


def own(ends: str | None = None) -> ModelSpec:
    return ModelSpec(name="own", source=OWN, class_name="Own", options={"ends": ends})


@pytest.fixture
def store(tmp_path: Path, ended_after: Callable[[Path], Path]) -> Store:
    return Store(ended_after(tmp_path / "store")).prepare()


@pytest.fixture
def data(store: Store) -> DataSpec:
    return pictures(store)


def pictures(store: Store) -> DataSpec:
    """400 pictures of 8x8: noise with one bright row that names the class."""
    generator = np.random.default_rng(0)
    inputs, labels = generator.integers(0, 180, (400, 8, 8), dtype=np.uint8), np.arange(400) % 4
    inputs[np.arange(400), 2 * labels] += 75
    return from_arrays(inputs, labels, store=store, name="rows")


def start(store: Store, data: DataSpec, model: ModelSpec, **train_options: Any) -> RunRecord:
    """A run as the supervisor hands it to a worker."""
    options = {"epochs": 2, "threads": 1, **train_options}
    record = create_run(store, RunSpec(data=data, model=model, train=TrainSpec(**options)))
    announce(record)
    return record


def announce(record: RunRecord) -> None:
    with EventLog.open_writer(record.dir) as events:
        events.append("RunStarting", pid=os.getpid(), attempt=1, warm=False)


def spawn(store: Store, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lepton_lab.worker", "--store", str(store.root), *arguments]
    root = str(Path(__file__).parents[2])
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd=root)


def of(record: RunRecord, event_type: str) -> list[dict[str, Any]]:
    return [event for event in read_events(record.dir) if event["type"] == event_type]


def curve_of(run_dir: Path) -> dict[str, tuple[list[int], list[float]]]:
    curve = Curve(run_dir.name)
    for event in read_events(run_dir):
        curve.apply(event)
    return {name: (list(series.steps), list(series.y)) for name, series in curve.series.items()}


def last_tensors(run_dir: Path) -> dict[str, bytes]:
    found = latest_checkpoint(run_dir)
    assert found is not None
    return {file.name: file.read_bytes() for file in found[1].glob("*.safetensors")}


@pytest.mark.fault
@pytest.mark.timeout(1800)
def test_a_worker_killed_with_kill_9_leaves_the_bits_and_the_curve_of_one_that_was_not(
    store: Store, data: DataSpec, tmp_path: Path, repeat: Callable[[int, int], int], faults: Ledger
) -> None:
    num_deaths = repeat(1, 5)
    options = {"epochs": repeat(40, 400), "batch_size": 16, "checkpoint_every_seconds": 0.2}
    record = start(store, data, CNN, **options)
    for deaths in range(num_deaths):
        before = len(of(record, "CheckpointSaved"))
        process = spawn(store, "--run", record.run_id)
        # Between two checkpoints: the steps since the last one are lost and made again.
        wait_until(lambda before=before: len(of(record, "CheckpointSaved")) > before + 1, "two checkpoints", 60)
        process.send_signal(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL, process.communicate()
        assert not of(record, "RunFinished"), f"death {deaths} came too late"
    process = spawn(store, "--run", record.run_id)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, output
    whole = tmp_path / "whole"
    whole.mkdir()
    with EventLog.open_writer(whole) as events:
        train(whole, load(data, store), CNN, TrainSpec(threads=1, **options), events=events, control=Script())
    assert last_tensors(record.dir) == last_tensors(whole)
    assert curve_of(record.dir) == curve_of(whole)
    starts = [event["from_step"] for event in of(record, "RunStarted")]
    assert starts[0] == 0 and starts == sorted(set(starts)) and len(starts) == num_deaths + 1
    faults.add("F1 training worker (torch) killed, ends bit-equal", num_deaths)
    types = [event["type"] for event in read_events(record.dir)]
    assert types[types.index("ReportWritten") :] == ["ReportWritten", "RunFinished", "BundleWritten"]


def test_a_spare_takes_the_run_and_the_device_that_it_is_handed(store: Store, data: DataSpec) -> None:
    record = start(store, data, own("environment"))
    process = spawn(store, "--spare")
    process.communicate(json.dumps({"run": record.run_id, "environment": {"CUDA_VISIBLE_DEVICES": "5"}}) + "\n", 120)
    assert process.returncode == 1
    assert of(record, "RunFailed")[0]["message"] == "Your network raised ValueError: 5"
    assert "ValueError: 5" in (record.dir / "worker.log").read_text()


def test_a_spare_that_nobody_needs_leaves_in_peace(store: Store) -> None:
    process = spawn(store, "--spare")
    output, _ = process.communicate("", timeout=PATIENCE_SECONDS)
    assert (process.returncode, output) == (0, "")


@pytest.mark.parametrize(
    ("model", "reason", "said"),
    [
        (own("nan"), "nan_loss", "at step 4"),
        (own("memory"), "out_of_memory", "The computer's memory is full; use a batch_size below"),
        (own("gpu"), "gpu_out_of_memory", "The GPU's memory is full; use a batch_size below"),
        (own("index"), "model_error", "Your network raised IndexError"),
        (ModelSpec(name="own", source=OWN.replace("64", "60"), class_name="Own"), "model_error", "layer by layer"),
        (ModelSpec(name="own", source="1 / 0", class_name="Own"), "model_error", "division by zero"),
    ],
    ids=["nan", "memory", "gpu", "index", "shape", "source"],
)
def test_a_failure_is_the_last_word_of_the_record(
    store: Store, data: DataSpec, model: ModelSpec, reason: str, said: str
) -> None:
    record = start(store, data, model)
    assert worker.work(store, record.run_id) == 1
    summary = record.summary()
    assert (summary.state, summary.reason) == ("failed", reason)
    assert said in (summary.message or "")
    assert read_events(record.dir)[-1]["type"] == "RunFailed"


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("ends", "reason"), [("limit", "out_of_memory"), ("gpu", "gpu_out_of_memory")])
def test_memory_that_is_refused_ends_the_run_with_a_name_and_nothing_else(
    store: Store, data: DataSpec, faults: Ledger, ends: str, reason: str
) -> None:
    """F8 with a limit that the kernel keeps (RLIMIT_AS), F9 with the error that torch raises; others train on."""
    other = start(store, data, CNN, epochs=30)
    beside = spawn(store, "--run", other.run_id)
    record = start(store, data, own(ends))
    process = spawn(store, "--run", record.run_id)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1, output
    summary = record.summary()
    assert (summary.state, summary.reason) == ("failed", reason), output
    assert "batch_size" in (summary.message or "")
    output, _ = beside.communicate(timeout=PATIENCE_SECONDS)
    assert other.summary().state == "finished", output
    faults.add("F8 F9 memory refused")


def test_data_that_is_gone_is_a_data_error(store: Store) -> None:
    record = start(store, DataSpec(name="/nowhere/to/be/found.csv"), CNN)
    assert worker.work(store, record.run_id) == 1
    assert record.summary().state == "failed" and "found.csv" in (record.summary().message or "")


def test_a_run_that_has_ended_or_was_never_started_is_left_alone(store: Store, data: DataSpec) -> None:
    record = create_run(store, RunSpec(data=data, model=CNN, train=TrainSpec(epochs=1)))
    assert worker.work(store, record.run_id) == 1
    assert [event["type"] for event in read_events(record.dir)] == ["RunQueued"]


def test_a_run_without_a_test_part_finishes_and_says_what_is_missing(store: Store) -> None:
    inputs = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    data = from_arrays(inputs, np.arange(60) % 2, store=store, name="few", test_fraction=0.0)
    record = start(store, data, CNN, epochs=1)
    assert worker.work(store, record.run_id) == 0
    assert record.report() is None and record.summary().state == "finished"
    assert "raise test_fraction" in of(record, "WarningRaised")[0]["message"]

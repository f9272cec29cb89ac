"""Two and four real processes train what one trains; killed ones and a changed number of them do not show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton_lab.data import from_arrays
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.runs.events import EventLog, read_events
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, create_run
from lepton_lab.specs import ModelSpec, RunSpec, TrainSpec
from lepton_lab.training.checkpoints import Saved, read
from tests.training.training_lab import curve_of

PATIENCE_SECONDS = 300
TOLERANCE = 2e-5
LAST_STEP = 39


def begin(folder: Path, *starts: dict[str, Any]) -> None:
    """Has runs made by a process that may fork."""
    plan = folder / "plan.json"
    plan.write_text(json.dumps([{**each, "run": str(folder / each["run"])} for each in starts]))
    argv = [sys.executable, "-m", "tests.scaling.crew", str(plan)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr


def work_on(folder: Path, model: dict[str, Any], train: TrainSpec, num_classes: int = 2) -> RunRecord:
    """Has a worker train an MLP on rows of six numbers; returns the run, which has ended well."""
    generator = np.random.default_rng(0)
    labels = np.arange(60 * num_classes) % num_classes
    inputs = generator.normal(size=(len(labels), 6)).astype(np.float32) + labels[:, None]
    store = Store(folder).prepare()
    data = from_arrays(inputs, labels, store=store, name="rows")
    record = create_run(store, RunSpec(data=data, model=ModelSpec(name="mlp", options=model), train=train))
    with EventLog.open_writer(record.dir) as events:
        events.append("RunStarting", pid=0, attempt=1, warm=False)
    argv = [sys.executable, "-m", "lepton_lab.worker", "--store", str(store.root), "--run", record.run_id]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert record.summary().state == "finished" and (record.dir / "bundle").is_dir()
    return record


def last(run_dir: Path, step: int = LAST_STEP) -> Saved:
    found = latest_checkpoint(run_dir)
    assert found is not None and found[0] == step
    return read(found[1])


def events_of(run_dir: Path, event_type: str) -> list[dict[str, Any]]:
    return [event for event in read_events(run_dir) if event["type"] == event_type]


def assert_same(run_dir: Path, whole: Path) -> None:
    """Same curves, point by point, and same weights, within what the order of a sum changes."""
    curves, expected = curve_of(run_dir), curve_of(whole)
    assert curves.keys() == expected.keys()
    for name, (x, y) in expected.items():
        assert curves[name][0] == x, name
        np.testing.assert_allclose(curves[name][1], y, atol=TOLERANCE, err_msg=name)
    ours, theirs = last(run_dir), last(whole)
    for name, tensor in theirs.model.items():
        np.testing.assert_allclose(ours.model[name], tensor, atol=10 * TOLERANCE, err_msg=name)
    assert ours.state["meter"]["num_steps"] == theirs.state["meter"]["num_steps"] == LAST_STEP


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one, two and four processes, and those that were interrupted."""
    folder = tmp_path_factory.mktemp("runs")
    stop = [["EpochEnded", 1, ["stop"]]]
    often = {"checkpoint_every_seconds": 0.05}
    begin(
        folder,
        {"run": "one", "devices": 1},
        {"run": "two", "devices": 2},
        {"run": "four", "devices": 4},
        {"run": "changing", "devices": 2, "on": stop},
        {"run": "changing", "devices": 1, "on": stop},
        {"run": "changing", "devices": 4},
        {"run": "killed", "devices": 2, "options": often, "on": [["EpochEnded", 2, ["kill", 1]]]},
        {
            "run": "given up",
            "devices": 2,
            "options": {**often, "max_restarts": 0},
            "on": [["EpochEnded", 1, ["kill", 1]]],
        },
        {
            "run": "steered",
            "devices": 2,
            "options": {"epochs": 30},
            "on": [
                ["EpochEnded", 1, ["set_learning_rate", 0.001]],
                ["LearningRateChanged", 1, ["pause"]],
                ["RunPaused", 1, ["resume"]],
                ["RunResumed", 1, ["stop"]],
            ],
        },
        {"run": "first killed", "devices": 2, "options": often, "on": [["CheckpointSaved", 3, ["kill", 0]]]},
    )
    return folder


@pytest.mark.parametrize("name", ["two", "four"])
def test_several_processes_train_what_one_trains(runs: Path, name: str) -> None:
    assert_same(runs / name, runs / "one")
    started = events_of(runs / name, "RunStarted")
    assert [each["devices"] for each in started] == [{"two": 2, "four": 4}[name]]
    assert len(events_of(runs / name, "EpochEnded")) == 3


def test_a_run_goes_on_with_another_number_of_processes(runs: Path) -> None:
    assert_same(runs / "changing", runs / "one")
    started = events_of(runs / "changing", "RunStarted")
    assert [each.get("devices", 1) for each in started] == [2, 1, 4]
    stopped = [each["step"] for each in events_of(runs / "changing", "RunStopped")]
    assert [each["from_step"] for each in started] == [0, *stopped]


@pytest.mark.parametrize("name", ["killed", "first killed"])
def test_a_killed_process_repeats_no_more_than_a_checkpoint_interval(runs: Path, name: str) -> None:
    assert_same(runs / name, runs / "one")
    (again,) = events_of(runs / name, "RunRestarted")
    assert again["reason"] == "rank_died" and "killed by" in again["message"]
    saved = [each["step"] for each in events_of(runs / name, "CheckpointSaved") if each["seq"] < again["seq"]]
    assert again["from_step"] == max(saved)
    assert [each["from_step"] for each in events_of(runs / name, "RunStarted")] == [0, max(saved)]


def test_processes_that_die_too_often_fail_the_run(runs: Path) -> None:
    (failed,) = events_of(runs / "given up", "RunFailed")
    assert failed["reason"] == "worker_died"
    assert failed["message"].startswith("Process 2 of 2 was killed by ") and "max_restarts" in failed["message"]


def test_commands_reach_all_processes_at_the_same_step(runs: Path) -> None:
    received = [each["command"] for each in events_of(runs / "steered", "CommandReceived")]
    assert received == ["set_learning_rate", "pause", "resume", "stop"]
    (changed,) = events_of(runs / "steered", "LearningRateChanged")
    assert changed["new"] == 0.001
    (stopped,) = events_of(runs / "steered", "RunStopped")
    # The processes compare their weights at the end of each epoch; a rate that only one had would have failed the run.
    assert last(runs / "steered", stopped["step"]).state["step"] == stopped["step"]


def test_a_network_that_is_too_small_to_share_says_so_and_trains_in_one_process(tmp_path: Path) -> None:
    train = TrainSpec(epochs=2, batch_size=8, devices=2, device="cpu")
    record = work_on(tmp_path, {"hidden": 8, "members": 1}, train)
    (compared,) = events_of(record.dir, "ProcessesCompared")
    assert compared["devices"] == 2 and compared["used"] == 1
    assert compared["shared_seconds"] > 0 and compared["alone_seconds"] > 0
    warned = [each["message"] for each in events_of(record.dir, "WarningRaised")]
    assert any(each.startswith("The run trains in one process, because a step took ") for each in warned), warned
    (started,) = events_of(record.dir, "RunStarted")
    assert "devices" not in started

"""A run that was interrupted and went on is the run that was not: the same bits, the same curve."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lepton_lab.runs.checkpoints import latest_checkpoint, newest_step
from lepton_lab.runs.events import read_events
from lepton_lab.training import checkpoints
from tests.ledger import Ledger
from tests.training.training_lab import Script, Ticks, attempt, curve_of, record, spec


class Crash(Exception):
    """Stands for the death of the process: nothing is saved, nothing is said."""


class CrashAtLook(Script):
    """Dies when the control folder is looked at for the n-th time."""

    def __init__(self, look: int) -> None:
        super().__init__()
        self._look = look

    def pending(self) -> list[Any]:
        if self.num_looks + 1 == self._look:
            raise Crash
        return super().pending()


OPTIONS = {"epochs": 4, "checkpoint_every_seconds": 0.9, "stop_early_epochs": 3, "clip_norm": 1.0}
CLOCK_STEP = 0.06
LAST_STEP = 48


def result(run_dir: Path) -> dict[str, bytes]:
    """The bytes of a run's last weights, optimizer and best weights."""
    found = latest_checkpoint(run_dir)
    assert found is not None and found[0] == LAST_STEP
    return {file.name: file.read_bytes() for file in found[1].glob("*.safetensors")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    attempt(run_dir, spec(**OPTIONS), clock=Ticks(CLOCK_STEP))
    return run_dir


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_other_optimizers_too(tmp_path: Path, optimizer: str) -> None:
    options = {**OPTIONS, "optimizer": optimizer}
    attempt(tmp_path / "whole", spec(**options), clock=Ticks(CLOCK_STEP))
    with pytest.raises(Crash):
        attempt(tmp_path / "run", spec(**options), control=CrashAtLook(30), clock=Ticks(CLOCK_STEP))
    attempt(tmp_path / "run", spec(**options), clock=Ticks(CLOCK_STEP))
    assert result(tmp_path / "run") == result(tmp_path / "whole")


FEW = (2, 7, 12, 13, 14, 25, 26, 31, 40, 47, 48, 49)
LOOKS = [look if look in FEW else pytest.param(look, marks=pytest.mark.slow) for look in range(2, 50)]


@pytest.mark.fault
@pytest.mark.parametrize("look", LOOKS)
def test_bit_equal_after_a_crash_at_any_step(tmp_path: Path, whole: Path, look: int, faults: Ledger) -> None:
    run_dir = tmp_path / "run"
    with pytest.raises(Crash):
        attempt(run_dir, spec(**OPTIONS), control=CrashAtLook(look), clock=Ticks(CLOCK_STEP))
    saved_step = newest_step(run_dir)
    attempt(run_dir, spec(**OPTIONS), clock=Ticks(CLOCK_STEP))
    assert result(run_dir) == result(whole)
    assert curve_of(run_dir) == curve_of(whole)
    starts = [event for event in read_events(run_dir) if event["type"] == "RunStarted"]
    assert [each["from_step"] for each in starts] == [0, saved_step]
    faults.add("F1 crash at every step, resumed bit-equal")


def test_bit_equal_after_many_crashes(tmp_path: Path, whole: Path) -> None:
    run_dir = tmp_path / "run"
    num_crashes = 0
    while newest_step(run_dir) < LAST_STEP - 6:
        with pytest.raises(Crash):
            attempt(run_dir, spec(**OPTIONS), control=CrashAtLook(10), clock=Ticks(CLOCK_STEP * 2))
        num_crashes += 1
    attempt(run_dir, spec(**OPTIONS), clock=Ticks(CLOCK_STEP))
    assert num_crashes >= 5
    assert result(run_dir) == result(whole)
    assert curve_of(run_dir) == curve_of(whole)


def test_bit_equal_after_stop_and_resume(tmp_path: Path, whole: Path) -> None:
    run_dir = tmp_path / "run"
    stopped = attempt(run_dir, spec(**OPTIONS), control=Script({20: ("stop", None)}), clock=Ticks(CLOCK_STEP))
    assert stopped.state == "stopped" and newest_step(run_dir) == stopped.step
    finished = attempt(run_dir, spec(**OPTIONS), clock=Ticks(CLOCK_STEP))
    assert finished.state == "finished"
    assert result(run_dir) == result(whole)


def test_a_learning_rate_that_was_set_outlives_a_crash(tmp_path: Path) -> None:
    class SetThenCrash(CrashAtLook):
        def pending(self) -> list[Any]:
            self._plan = {6: ("set_learning_rate", 0.0007)}
            return super().pending()

    options = {**OPTIONS, "checkpoint_every_seconds": 1000.0, "schedule": "constant"}
    with pytest.raises(Crash):
        attempt(tmp_path / "run", spec(**options), control=SetThenCrash(8), clock=Ticks(CLOCK_STEP))
    attempt(tmp_path / "run", spec(**options), clock=Ticks(CLOCK_STEP))
    rates = [e["learning_rate"] for e in read_events(tmp_path / "run") if e["type"] == "MetricsRecorded"]
    assert rates[-1] == 0.0007


def test_choices_outlive_a_crash_before_the_first_checkpoint(tmp_path: Path) -> None:
    """Threads are chosen from the cores that are free; another number of them would give other bits."""
    free = spec(**OPTIONS).changed(threads=None)
    with pytest.raises(Crash):
        attempt(tmp_path / "run", free, control=CrashAtLook(3), clock=Ticks(CLOCK_STEP))
    before = (tmp_path / "run" / "plan.json").read_bytes()
    attempt(tmp_path / "run", free, clock=Ticks(CLOCK_STEP))
    assert (tmp_path / "run" / "plan.json").read_bytes() == before


def test_a_broken_checkpoint_is_told_and_the_one_before_is_taken(tmp_path: Path, whole: Path) -> None:
    run_dir = tmp_path / "run"
    with pytest.raises(Crash):
        attempt(run_dir, spec(**OPTIONS), control=CrashAtLook(40), clock=Ticks(CLOCK_STEP))
    found = latest_checkpoint(run_dir)
    assert found is not None
    weights = found[1] / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    attempt(run_dir, spec(**OPTIONS), clock=Ticks(CLOCK_STEP))
    broken = [event for event in read_events(run_dir) if event["type"] == "CheckpointBroken"]
    assert [each["step"] for each in broken] == [found[0]]
    assert result(run_dir) == result(whole)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    """A worker that dies between the last checkpoint and the report only evaluates again."""
    attempt(tmp_path / "run", spec(**OPTIONS), clock=Ticks(CLOCK_STEP))
    outcome, events = record(tmp_path / "run", spec(**OPTIONS))
    assert outcome.state == "finished" and events.types() == ["RunStarted"]
    assert outcome.best_val_metric is not None


def test_random_states_of_gpus_go_through_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for two GPUs; none has been at hand."""
    states = [torch.arange(16, dtype=torch.uint8), torch.full((16,), 7, dtype=torch.uint8)]
    set_again: list[torch.Tensor] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    saved = json.loads(json.dumps(checkpoints.random_state()))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", set_again.extend)
    checkpoints.set_random_state(saved)
    assert [each.tolist() for each in set_again] == [each.tolist() for each in states]


def test_random_states_come_back() -> None:
    checkpoints.seed_everything(5)
    state = checkpoints.random_state()
    expected = (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random())
    checkpoints.set_random_state(state)
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()) == expected

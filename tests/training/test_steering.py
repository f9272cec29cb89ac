"""Commands between two steps, and how each is acknowledged."""

from __future__ import annotations

import inspect
import shutil
import threading
import time
from typing import Any

import pytest

from lepton_lab.runs.checkpoints import all_steps, latest_checkpoint
from lepton_lab.training.replay import compare
from lepton_lab.training.steering import Command
from lepton_lab.training.validation import NUM_SAMPLES
from tests.training.training_lab import Recorder, Script, Ticks, attempt, curve_of, record, spec

EVERY_STEP = 0.06
"""Seconds that the clock moves at each look: the control folder is then looked at after every step."""


def steer(tmp_path: Any, plan: dict[int, tuple[str, Any]], **options: Any) -> tuple[Any, Recorder, Script]:
    control = Script(plan)
    outcome, events = record(tmp_path / "run", spec(**options), control=control, clock=Ticks(EVERY_STEP))
    return outcome, events, control


def without_measurements(events: Recorder) -> list[str]:
    measured = {"MetricsRecorded", "EpochEnded", "SamplesPredicted"}
    return [each for each in events.types() if each not in measured]


def test_pause_saves_and_resume_goes_on(tmp_path: Any) -> None:
    outcome, events, control = steer(tmp_path, {4: ("pause", None), 9: ("resume", None)})
    assert without_measurements(events)[:6] == [
        "RunStarted", "CommandReceived", "RunPaused", "CheckpointSaved", "CommandReceived", "RunResumed",
    ]  # fmt: skip
    paused, resumed = events.of("RunPaused")[0], events.of("RunResumed")[0]
    assert paused["by"] == resumed["by"] == "test" and paused["step"] == resumed["step"]
    assert outcome.state == "finished" and control.finished == ["4", "9"]


def test_pause_is_not_training_time(tmp_path: Any) -> None:
    plain, _, _ = steer(tmp_path, {})
    (tmp_path / "run").rename(tmp_path / "plain")
    paused, _, _ = steer(tmp_path, {4: ("pause", None), 5000: ("resume", None)})
    assert paused.seconds < plain.seconds + 5


def test_commands_while_paused(tmp_path: Any) -> None:
    plan = {4: ("pause", None), 5: ("set_learning_rate", 0.001), 6: ("checkpoint", None), 7: ("pause", None),
            8: ("stop", None)}  # fmt: skip
    outcome, events, control = steer(tmp_path, plan)
    assert outcome.state == "stopped" and len(events.of("RunPaused")) == 1
    assert events.of("LearningRateChanged")[0]["new"] == 0.001
    assert [each["command"] for each in events.of("CommandReceived")] == [name for name, _ in plan.values()]
    assert len(control.finished) == 5


def test_learning_rate_changes_at_once(tmp_path: Any) -> None:
    _, events, _ = steer(tmp_path, {6: ("set_learning_rate", 0.0005)}, schedule="constant")
    changed = events.of("LearningRateChanged")[0]
    assert (changed["old"], changed["new"], changed["by"]) == (0.005, 0.0005, "test")
    assert events.of("MetricsRecorded")[-1]["learning_rate"] == 0.0005


@pytest.mark.parametrize("value", [-1, 0, 1e9, "fast", None, float("nan"), True])
def test_nonsense_is_refused_in_a_sentence_and_changes_nothing(tmp_path: Any, value: Any) -> None:
    outcome, events, control = steer(tmp_path, {2: ("set_learning_rate", value), 3: ("dance", None)})
    assert len(events.of("WarningRaised")) == 2 and not events.of("LearningRateChanged")
    assert outcome.state == "finished" and control.finished == ["2", "3"]


def test_resume_of_a_running_run_changes_nothing(tmp_path: Any) -> None:
    outcome, events, _ = steer(tmp_path, {2: ("resume", None)})
    assert outcome.state == "finished" and not events.of("RunResumed")


class Door:
    """Commands from another thread, with the time at which each was taken."""

    def __init__(self) -> None:
        self._commands: list[Command] = []
        self.taken: dict[str, float] = {}

    def send(self, command: str) -> float:
        self._commands = [*self._commands, Command(command, command, None, "test")]
        return time.monotonic()

    def pending(self) -> list[Command]:
        return self._commands

    def done(self, command_id: str) -> None:
        self.taken[command_id] = time.monotonic()
        self._commands = [each for each in self._commands if each.id != command_id]

    def wait(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self._commands and time.monotonic() < deadline:
            threading.Event().wait(0.01)


def test_commands_are_taken_soon_while_running_and_while_paused(tmp_path: Any) -> None:
    door, seen = Door(), {name: threading.Event() for name in ("MetricsRecorded", "RunPaused", "RunResumed")}

    def tell(event: dict[str, Any]) -> None:
        if event["type"] in seen:
            seen[event["type"]].set()

    events = Recorder(tell)
    worker = threading.Thread(
        target=record, args=(tmp_path / "run", spec(epochs=10_000)), kwargs={"control": door, "events": events}
    )
    worker.start()
    sent = {}
    for command, after in (("pause", "MetricsRecorded"), ("resume", "RunPaused"), ("stop", "RunResumed")):
        assert seen[after].wait(30)
        sent[command] = door.send(command)
    worker.join(30)
    assert not worker.is_alive() and events.types()[-1] == "RunStopped"
    assert door.taken.keys() == sent.keys()  # how soon is measured by `make bench`


class Impatient(Script):
    """Asks for something in the middle of the first validation, as often as the control folder is looked at."""

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command

    def pending(self) -> list[Command]:
        self.num_looks += 1
        is_validating = any(each.function == "_validate" for each in inspect.stack(context=0))
        return [Command("1", self._command, None, "test")] if is_validating and not self.finished else []


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("command", ["checkpoint", "stop"])
def test_commands_are_taken_in_the_middle_of_a_validation(tmp_path: Any, command: str, ema: float | None) -> None:
    options = spec(ema=ema)
    attempt(tmp_path / "whole", options, clock=Ticks(EVERY_STEP))
    control = Impatient(command)
    outcome = attempt(tmp_path / "run", options, control=control, clock=Ticks(EVERY_STEP))
    assert control.finished == ["1"] and outcome.state == ("stopped" if command == "stop" else "finished")
    if command == "checkpoint":  # killed after it: the run goes on from the middle of the validation
        for path in all_steps(tmp_path / "run"):
            if path != 12:
                shutil.rmtree(tmp_path / "run" / "checkpoints" / f"{path:010d}")
    assert all_steps(tmp_path / "run") == [12]
    attempt(tmp_path / "run", options, clock=Ticks(EVERY_STEP))
    for folder in (tmp_path / "whole", tmp_path / "run"):
        assert latest_checkpoint(folder)[0] == 36
    whole, ours = (latest_checkpoint(tmp_path / name)[1] for name in ("whole", "run"))
    assert compare(whole, ours)["differing"] == []
    assert curve_of(tmp_path / "run") == curve_of(tmp_path / "whole")


def test_samples_are_few() -> None:
    assert NUM_SAMPLES == 8

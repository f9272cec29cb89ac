"""When measurements are written."""

from __future__ import annotations

import json

import torch

from lepton_lab.training.meter import Meter
from lepton_lab.training.progress import Progress
from tests.training.test_meter import ACCURACY
from tests.training.training_lab import Recorder

STEP_SECONDS = 0.02


def run(seconds: float) -> Recorder:
    """The events of a run with 50 steps a second."""
    events, meter = Recorder(), Meter(128, torch.device("cpu"), ACCURACY)
    num_steps = int(seconds / STEP_SECONDS)
    progress = Progress(events, meter, 500, num_steps, 128)
    progress.resume(0.0, 0)
    loss, scores, labels = torch.tensor(0.5), torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64)
    for step in range(1, num_steps + 1):
        meter.push(loss, scores, labels, 1)
        if step * STEP_SECONDS >= progress.next_time:
            progress.write(step * STEP_SECONDS, step, 0.01)
    return events


def test_first_step_is_written_at_once_then_ten_times_a_second() -> None:
    events = run(10.0).of("MetricsRecorded")
    assert events[0]["step"] == 1 and events[0]["series"]["train_loss"]["step"] == [1]
    assert 80 <= len(events) <= 105


def test_speed_and_time_left() -> None:
    last = run(20.0).of("MetricsRecorded")[-1]
    assert abs(last["samples_per_second"] - 128 / STEP_SECONDS) < 1
    assert last["seconds_left"] < 0.2


def test_time_left_is_not_thrown_by_a_validation() -> None:
    """Epochs of 60 s and validations of 12 s, as a larger network has on two cores."""
    steps, epochs, step_seconds, validation_seconds = 600, 20, 0.1, 12.0
    events, meter = Recorder(), Meter(64, torch.device("cpu"), ACCURACY)
    progress = Progress(events, meter, steps, steps * epochs, 64)
    progress.resume(0.0, 0)
    loss, scores, labels = torch.tensor(0.5), torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64)
    whole = epochs * (steps * step_seconds + validation_seconds)
    now, written = 0.0, 0
    for step in range(1, steps * epochs + 1):
        now += step_seconds
        meter.push(loss, scores, labels, 1)
        if now >= progress.next_time:
            progress.write(now, step, 0.01)
        if step % steps == 0:
            now += validation_seconds
        found = events.of("MetricsRecorded")
        if step > steps and len(found) > written:
            written = len(found)
            assert abs(found[-1]["seconds_left"] - (whole - now)) < 0.1 * (whole - now) + 2 * validation_seconds


def test_a_day_of_training_stays_small() -> None:
    """An hour is simulated; from there on the rate is at its lowest but for the growing interval."""
    hour = run(3600.0)
    num_bytes = sum(len(json.dumps(event)) + 60 for event in hour.events)
    last = hour.of("MetricsRecorded")[-2:]
    seconds_between = (last[1]["step"] - last[0]["step"]) * STEP_SECONDS
    assert seconds_between > 4.5
    rest_of_day = 23 * 3600 / seconds_between * (len(json.dumps(last[1])) + 60)
    assert num_bytes + rest_of_day < 20e6

"""A small dataset, recorded events and scripted commands: all that a training run needs around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from lepton_lab.data.targets import Target
from lepton_lab.runs.curve import Curve
from lepton_lab.runs.events import EventLog, read_events
from lepton_lab.specs import ModelSpec, Problem, TrainSpec
from lepton_lab.training.loop import train
from lepton_lab.training.outcome import Outcome
from lepton_lab.training.steering import Command


class Halves:
    """A preparation that divides by two."""

    def apply(self, stored: np.ndarray) -> np.ndarray:
        return np.asarray(stored, dtype=np.float32) / 2


def stripes(num_rows: int = 96, *, num_validation: int = 24, side: int = 8, seed: int = 0) -> Any:
    """Noisy pictures of three kinds (a bright row, a bright column, neither), easy to tell apart."""
    generator = np.random.default_rng(seed)

    def part(rows: int) -> SimpleNamespace:
        labels = np.arange(rows, dtype=np.int64) % 3
        inputs = generator.normal(0.0, 0.5, (rows, 1, side, side)).astype(np.float32)
        inputs[labels == 0, :, 3, :] += 3.0
        inputs[labels == 1, :, :, 3] += 3.0
        return SimpleNamespace(inputs=inputs, labels=labels, row_ids=np.arange(rows))

    return SimpleNamespace(
        name="stripes",
        classes=["row", "column", "neither"],
        modality="image",
        splits={"train": part(num_rows), "validation": part(num_validation), "test": part(24)},
        preparation=Halves(),
        input_shape=(1, side, side),
        task="classification",
        problem=Problem("classification", "image", (1, side, side), (3,)),
        target=Target("classification"),
    )


class Recorder:
    """Events in a list; `on_event` sees each as it comes."""

    def __init__(self, on_event: Callable[[dict[str, Any]], None] = lambda event: None) -> None:
        self.events: list[dict[str, Any]] = []
        self._on_event = on_event

    def append(self, event_type: str, /, **fields: Any) -> int:
        self.events.append({"type": event_type, **fields})
        self._on_event(self.events[-1])
        return len(self.events)

    def flush(self) -> None:
        return None

    def of(self, event_type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == event_type]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


class Script:
    """Commands at chosen looks: `{look: (command, value)}`; looks count from 1, also while paused."""

    def __init__(self, plan: dict[int, tuple[str, Any]] | None = None) -> None:
        self._plan, self.num_looks, self.finished = plan or {}, 0, list[str]()

    def pending(self) -> list[Command]:
        self.num_looks += 1
        if self.num_looks not in self._plan:
            return []
        command, value = self._plan[self.num_looks]
        return [Command(str(self.num_looks), command, value, "test")]

    def done(self, command_id: str) -> None:
        self.finished.append(command_id)

    def wait(self, timeout_seconds: float) -> None:
        return None


class Ticks:
    """A clock that moves by a fixed length each time somebody looks at it."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._now = seconds, 0.0

    def __call__(self) -> float:
        self._now += self._seconds
        return self._now


SMALL_CNN = ModelSpec(name="cnn", options={"channels": 4, "stages": 1})


def spec(**options: Any) -> TrainSpec:
    """Training options that make a run of 12 steps an epoch repeat itself bit by bit."""
    return TrainSpec(**{"epochs": 3, "batch_size": 8, "threads": 1, "device": "cpu", **options})


def record(
    run_dir: Path,
    train_spec: TrainSpec,
    *,
    dataset: Any = None,
    model: ModelSpec = SMALL_CNN,
    control: Any = None,
    events: Recorder | None = None,
    clock: Callable[[], float] | None = None,
) -> tuple[Outcome, Recorder]:
    """Trains with events in memory."""
    events = events or Recorder()
    run_dir.mkdir(exist_ok=True)
    clocks = {"clock": clock} if clock else {}
    outcome = train(
        run_dir, dataset or stripes(), model, train_spec, events=events, control=control or Script(), **clocks
    )
    return outcome, events


def attempt(run_dir: Path, train_spec: TrainSpec, *, control: Any = None, clock: Any = None) -> Outcome:
    """Trains with events on disk, as a worker does."""
    run_dir.mkdir(exist_ok=True)
    with EventLog.open_writer(run_dir) as events:
        events.append("RunStarting", pid=0, attempt=1, warm=False)
        clocks = {"clock": clock} if clock else {}
        return train(run_dir, stripes(), SMALL_CNN, train_spec, events=events, control=control or Script(), **clocks)


def curve_of(run_dir: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Every curve of a run, as a viewer sees it."""
    curve = Curve(run_dir.name)
    for event in read_events(run_dir):
        curve.apply(event)
    return {name: (list(series.x), list(series.y)) for name, series in curve.series.items()}

"""A workbench for the kernel: a small dataset in memory, a real record on disk, commands by step, a clock that obeys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data.dataset import PreparedDataset, Split
from lepton_lab.data.image_preparation import ImagePreparation
from lepton_lab.runs.curve import Curve
from lepton_lab.runs.events import EventLog, read_events
from lepton_lab.specs import DataSpec, ModelSpec, TrainSpec
from lepton_lab.training.loop import Outcome, train
from lepton_lab.training.steering import Command

CLASSES = ["left", "right", "top", "bottom"]
SIDE = 6

SMALL_CNN = ModelSpec(name="cnn", options={"channels": 4, "stages": 1, "dropout": 0.3})


class Killed(BaseException):
    """Stands for the end of the process: nothing in the kernel may catch it."""


def pictures(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise (N, 1, 6, 6) uint8 with one bright half, and which half it is (N,)."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num_rows) % len(CLASSES)
    generator.shuffle(labels)
    inputs = generator.integers(0, 160, (num_rows, 1, SIDE, SIDE), dtype=np.uint8)
    halves = [np.s_[:, :3], np.s_[:, 3:], np.s_[:3, :], np.s_[3:, :]]
    for row, label in enumerate(labels):
        inputs[row, 0][halves[label]] += 90
    return inputs, labels.astype(np.int64)


def halves(num_train: int = 77, num_validation: int = 21, num_test: int = 20) -> PreparedDataset:
    """A dataset of four classes that a small network learns in a few epochs."""
    splits = {}
    for seed, (name, num_rows) in enumerate(
        {"train": num_train, "validation": num_validation, "test": num_test}.items()
    ):
        inputs, labels = pictures(num_rows, seed)
        splits[name] = Split(inputs, labels, np.arange(num_rows))
    return PreparedDataset(
        name="halves",
        title="Halves",
        spec=DataSpec(),
        splits=splits,
        preparation=ImagePreparation((1, SIDE, SIDE), 0.0, 255.0, (100.0,), (60.0,)),
        meta={"modality": "image", "classes": CLASSES, "fingerprint": "0" * 64, "remarks": []},
    )


class Clock:
    """Monotonic seconds that pass only when somebody looks: every look takes `tick` seconds."""

    def __init__(self, tick: float = 1.0) -> None:
        self.now, self.tick = 1000.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


class Orders:
    """Commands that come when the kernel looks for them; with `Clock(1.0)` it looks once before each step.

    Args:
        by_look: What comes at which look, counted from 0; an exception is raised there.
    """

    def __init__(self, by_look: Mapping[int, Any] | None = None) -> None:
        self._by_look = {look: list(x) if isinstance(x, list) else [x] for look, x in (by_look or {}).items()}
        self._open: list[Command] = []
        self.num_looks = 0
        self.done_ids: list[str] = []

    def pending(self) -> list[Command]:
        for each in self._by_look.get(self.num_looks, ()):
            if isinstance(each, BaseException):
                raise each
            self._open.append(each)
        self.num_looks += 1
        return list(self._open)

    def done(self, command_id: str) -> None:
        self.done_ids.append(command_id)
        self._open = [command for command in self._open if command.id != command_id]

    def wait(self, timeout_seconds: float) -> None:
        """A paused run looks again at once."""


def order(command: str, value: Any = None, by: str = "test") -> Command:
    return Command(f"{command}-1", command, value, by)


class Bench:
    """One run's folder, in which the kernel is started as often as a test wants."""

    def __init__(self, folder: Path, dataset: PreparedDataset | None = None, **options: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.dir = folder
        self.dataset = dataset or halves()
        self.model = options.pop("model", SMALL_CNN)
        self.spec = TrainSpec(**{"epochs": 4, "batch_size": 16, "threads": 1, **options})

    def start(self, orders: Orders | None = None, clock: Callable[[], float] | None = None) -> Outcome:
        with EventLog.open_writer(self.dir) as events:
            return train(
                self.dir,
                self.dataset,
                self.model,
                self.spec,
                events=events,
                control=orders or Orders(),
                clock=clock or Clock(),
            )

    def events(self, *types: str) -> list[dict[str, Any]]:
        return [event for event in read_events(self.dir) if not types or event["type"] in types]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def curve(self) -> dict[str, tuple[list[int], list[float]]]:
        """Steps and values of each series, folded as a viewer does it."""
        curve = Curve("bench")
        for event in self.events():
            curve.apply(event)
        return {name: (list(points.steps), list(points.y)) for name, points in curve.series.items()}

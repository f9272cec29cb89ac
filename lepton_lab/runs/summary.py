"""What a run's events add up to: `Fold` applies them one by one to a `RunSummary`."""

from __future__ import annotations

import copy
import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from lepton_lab.runs.lines import Event, epochs_of
from lepton_lab.runs.spark import Spark
from lepton_lab.runs.states import ACTIVE, ENDED, RunState, next_state
from lepton_lab.words import told


@dataclass
class RunSummary:
    """One run at a glance; every field is ready for JSON."""

    run_id: str
    name: str = ""
    state: str = RunState.queued.value
    reason: str | None = None
    message: str | None = None
    dataset: str = ""
    model: str = ""
    owner: str | None = None
    """The notebook cell that made it, so that running the cell again finds it."""
    user: str | None = None
    """Whose run it is."""
    title: str | None = None
    """What to show in place of the name, where somebody gave it a title."""
    tags: list[str] = field(default_factory=list)
    note: str = ""
    pinned: bool = False
    priority: int = 0
    """Runs of a higher priority start first."""
    parent: dict[str, Any] | None = None
    """Where a continued or forked run comes from: `{run_id, step, kind, kept, changed}`; see `branch.py`."""
    verified: bool | None = None
    """Whether a replay gave the same weights bit by bit; None: nobody has tried."""
    created: float | None = None
    """Unix seconds, as `started` and `ended`."""
    started: float | None = None
    ended: float | None = None
    epoch: float = 0.0
    epochs: int | None = None
    step: int = 0
    steps_total: int | None = None
    device: str | None = None
    cluster: str | None = None
    """Address of the Ray cluster that it works on; None for this machine."""
    wants: str | None = None
    """What it wants of the cluster: "2 x 1 CPU"."""
    samples_per_second: float | None = None
    seconds_left: float | None = None
    elapsed_seconds: float = 0.0
    """Training time, pauses left out, restarts added up."""
    learning_rate: float | None = None
    metric: str = "accuracy"
    """The figure that the task is judged by; the fields with _metric in their name hold it."""
    higher_is_better: bool = True
    train_metric: float | None = None
    val_metric: float | None = None
    best_val_metric: float | None = None
    test_metric: float | None = None
    train_accuracy: float | None = None
    train_loss: float | None = None
    val_accuracy: float | None = None
    val_loss: float | None = None
    best_val_accuracy: float | None = None
    test_accuracy: float | None = None
    checkpoint_step: int | None = None
    checkpoint_time: float | None = None
    queue_position: int | None = None
    """1 is next; set while the run waits."""
    restarts: int = 0
    preemptions: int = 0
    """How often it made room for a run of a higher priority."""
    waiting_fraction: float | None = None
    """Share of the last stretch of time in which the step waited for data."""
    sparkline: list[float] = field(default_factory=list)
    """At most 32 points of the validation metric, or of the training metric while there are fewer than two."""
    last_seq: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain values."""
        own = self.__dict__
        return {name: own[name] if name in own else getattr(self, name) for name in FIELDS}

    def to_page(self) -> dict[str, Any]:
        """The same for a page, with `said` beside the message (see `words.told`); the message stays English."""
        return told(self.to_dict())


FIELDS = tuple(each.name for each in dataclasses.fields(RunSummary))
DEFAULTS: dict[str, Any] = RunSummary("").to_dict()
"""Every field of a summary, as it is before anything is known."""


class Fold:
    """The running summary of one run, with what the next events need to know.

    Args:
        run_id: The run's folder name, which wins over what the events say.
    """

    def __init__(self, run_id: str) -> None:
        self._summary = RunSummary(run_id, name=run_id)
        self._val, self._train = Spark(), Spark()
        self.steps_per_epoch: float | None = None
        self.attempt_restarts = 0
        """Restarts since the run was queued (last)."""
        self.seal: str | None = None
        """The mark of the store that the run was submitted in."""
        self.has_points = False
        """Whether the worker of this attempt has recorded a measurement."""
        self.awaits_worker = False
        """Whether a restart has been decided on, and no worker been started since."""
        self.quick_deaths = 0
        """Deaths of workers in a row, without a checkpoint in between."""
        self.was_paused = False
        """Whether it was paused when its worker went, so that the next one is to hold still again."""

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return RunState(self._summary.state)

    @property
    def seq(self) -> int:
        """The number of the last event applied."""
        return self._summary.last_seq

    @property
    def step(self) -> int:
        """Steps taken."""
        return self._summary.step

    @property
    def metric(self) -> str:
        """The figure that the task is judged by."""
        return self._summary.metric

    @property
    def elapsed_seconds(self) -> float:
        """Training time so far."""
        return self._summary.elapsed_seconds

    def summary(self) -> RunSummary:
        """The summary now; a copy."""
        points = self._val if len(self._val) > 1 else self._train
        summary = copy.copy(self._summary)
        summary.sparkline = points.values(32)
        return summary

    def apply(self, event: Event) -> None:
        """Adds one event; one that was applied before is left out."""
        if event["seq"] <= self.seq:
            return
        self._summary.last_seq = event["seq"]
        self._summary.elapsed_seconds = _number(event.get("elapsed_seconds"), self._summary.elapsed_seconds)
        before = self.state
        self._summary.state = next_state(before, event["type"]).value
        if event["type"] in ("RunPreempted", "RunRestarted"):
            self.was_paused |= before is RunState.paused
        handle = getattr(self, f"_on_{event['type']}", None)
        if handle is not None:
            handle(event)
        if self.state in ENDED and self._summary.ended is None:
            self._summary.ended = event.get("time")
            self._summary.seconds_left = None

    def to_dict(self) -> dict[str, Any]:
        """All of the fold as plain values, for a snapshot."""
        return {
            "summary": self._summary.to_dict(),
            "val": self._val.points,
            "train": self._train.points,
            "steps_per_epoch": self.steps_per_epoch,
            "attempt_restarts": self.attempt_restarts,
            "seal": self.seal,
            "has_points": self.has_points,
            "awaits_worker": self.awaits_worker,
            "quick_deaths": self.quick_deaths,
            "was_paused": self.was_paused,
        }

    @classmethod
    def from_dict(cls, run_id: str, values: dict[str, Any]) -> Fold:
        """The fold of a snapshot.

        Raises:
            KeyError, TypeError, ValueError: If the snapshot is not one of this version.
        """
        fold = cls(run_id)
        known = {name: value for name, value in values["summary"].items() if name in FIELDS}
        fold._summary = RunSummary(**{**known, "run_id": run_id})
        RunState(fold._summary.state)
        if type(fold._summary.last_seq) is not int:
            raise TypeError("last_seq")
        fold._val, fold._train = Spark(values["val"]), Spark(values["train"])
        fold.steps_per_epoch, fold.attempt_restarts = values["steps_per_epoch"], values["attempt_restarts"]
        fold.seal, fold.has_points = values["seal"], values["has_points"]
        fold.quick_deaths = int(values["quick_deaths"])
        fold.awaits_worker, fold.was_paused = bool(values["awaits_worker"]), bool(values["was_paused"])
        return fold

    def _set(self, event: Event, *names: str) -> None:
        for name in names:
            if event.get(name) is not None:
                setattr(self._summary, name, event[name])

    def _rewind(self, step: int, *, is_epoch_open: bool = False) -> None:
        self._summary.step = step
        if self.steps_per_epoch:
            self._summary.epoch = step / self.steps_per_epoch
        self._val.truncate(step - 1 if is_epoch_open else step)
        self._train.truncate(step)

    def _on_RunQueued(self, event: Event) -> None:
        self._set(event, "name", "dataset", "model", "epochs", "owner", "user", "priority", "cluster", "wants")
        self._summary.parent = event.get("parent") or self._summary.parent
        self._set(event.get("parent") or {}, "metric", "higher_is_better")
        summary = self._summary
        summary.created = summary.created or event.get("time")
        summary.reason = summary.message = summary.ended = None
        self.attempt_restarts, self.quick_deaths = 0, 0
        self.has_points = self.awaits_worker = self.was_paused = False
        self.seal = event.get("seal")

    def _on_RunPrioritized(self, event: Event) -> None:
        self._set(event, "priority")

    def _on_RunPreempted(self, event: Event) -> None:
        self._set(event, "step", "epoch")
        self._summary.preemptions += 1
        self._summary.seconds_left = self._summary.samples_per_second = None
        self.attempt_restarts, self.has_points = 0, False

    def _on_RunVerified(self, event: Event) -> None:
        self._summary.verified = bool(event.get("equal"))

    def _on_RunStarting(self, event: Event) -> None:
        self._summary.started = self._summary.started or event.get("time")
        self._summary.message = None
        self.has_points = self.awaits_worker = self.was_paused = False

    def _on_ClusterAwaited(self, event: Event) -> None:
        self._set(event, "message")

    def _on_RunStarted(self, event: Event) -> None:
        self._set(event, "device", "epochs", "steps_total", "learning_rate", "metric", "higher_is_better")
        self._summary.started = self._summary.started or event.get("time")
        self._summary.message = None
        self.steps_per_epoch = event.get("steps_per_epoch") or self.steps_per_epoch
        self._rewind(int(_number(event.get("from_step"), 0)), is_epoch_open=bool(event.get("is_epoch_open")))

    def _on_RunRestarted(self, event: Event) -> None:
        self._summary.restarts += 1
        self.attempt_restarts += 1
        self.quick_deaths += 1
        self.awaits_worker = True
        self._summary.seconds_left = self._summary.samples_per_second = None
        self._rewind(int(_number(event.get("from_step"), 0)))

    def _on_MetricsRecorded(self, event: Event) -> None:
        self.has_points = True
        self._set(event, "step", "epoch", "samples_per_second", "seconds_left", "learning_rate")
        self._set(event, "waiting_fraction")
        for name, points in (event.get("series") or {}).items():
            if not points.get("value"):
                continue
            if name == "train_loss":
                self._summary.train_loss = points["value"][-1]
            elif name == f"train_{self._summary.metric}":
                self._take_metric("train", points["value"][-1])
                self._train.add(points["step"][-1], points["value"][-1])

    def _on_EpochEnded(self, event: Event) -> None:
        self.has_points = True
        for epoch in epochs_of(event):
            self._end_epoch(epoch)

    def _end_epoch(self, event: Event) -> None:
        self._set(event, "step", "train_loss", "val_loss")
        self._summary.epoch = _number(event.get("epoch"), self._summary.epoch)
        metric = self._summary.metric
        self._take_metric("train", event.get(f"train_{metric}"))
        value = event.get(f"val_{metric}")
        if value is not None:
            self._take_metric("val", value)
            self._val.add(self.step, value)
            best, better = self._summary.best_val_metric, max if self._summary.higher_is_better else min
            self._take_metric("best_val", value if best is None else better(value, best))

    def _take_metric(self, part: str, value: float | None) -> None:
        """Sets a part's figure under its general name, and under its own where that is accuracy."""
        if value is None:
            return
        setattr(self._summary, f"{part}_metric", value)
        if self._summary.metric == "accuracy":
            setattr(self._summary, f"{part}_accuracy", value)

    def _on_CheckpointSaved(self, event: Event) -> None:
        self.quick_deaths = 0
        self._summary.checkpoint_step = event.get("step")
        self._summary.checkpoint_time = event.get("time")

    def _on_LearningRateChanged(self, event: Event) -> None:
        self._summary.learning_rate = event.get("new")

    def _on_ReportWritten(self, event: Event) -> None:
        self._take_metric("test", event.get(f"test_{self._summary.metric}"))

    def _on_RunFinished(self, event: Event) -> None:
        self._set(event, "step", "epoch")
        self._take_metric("best_val", event.get(f"best_val_{self._summary.metric}"))

    def _on_RunStopped(self, event: Event) -> None:
        self._set(event, "step", "epoch")

    def _on_RunFailed(self, event: Event) -> None:
        self._set(event, "step", "reason", "message")

    def can_make_room(self) -> bool:
        """Whether a worker is at work that can save a checkpoint and let its device go."""
        return self.state in (RunState.running, RunState.paused)

    def is_starting(self) -> bool:
        """Whether a worker is at work that has not measured anything yet."""
        return self.state in ACTIVE and self.state is not RunState.stopping and not self.has_points


def _number(value: Any, default: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else default

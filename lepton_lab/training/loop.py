"""The order of things: steps, epochs, validation, commands, checkpoints.

What stops a run early, and which events tell of it:

| end | events |
|---|---|
| all epochs done, or none better for `stop_early_epochs` | CheckpointSaved; the worker: ReportWritten, RunFinished |
| stop | CommandReceived, RunStopping, CheckpointSaved, RunStopped |
| hard stop | CommandReceived, RunStopping, RunStopped |
| loss not finite, full disk, full memory, any other error | the exception; the worker writes RunFailed |

CUDA (bf16 autocast, channels last, metrics copied without waiting, the step as one graph where all steps are alike)
follows the same path; it has not been run on a GPU yet.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from lepton_lab.errors import RunFailed
from lepton_lab.runs.checkpoints import new_checkpoint
from lepton_lab.specs import ModelSpec, TrainSpec
from lepton_lab.training import checkpoints
from lepton_lab.training.best import Best
from lepton_lab.training.callbacks import with_callbacks
from lepton_lab.training.compiled import CompiledStep
from lepton_lab.training.epochs import EpochLog
from lepton_lab.training.failures import is_memory_shortage, not_finite
from lepton_lab.training.making import Making
from lepton_lab.training.meter import Meter
from lepton_lab.training.objective import Scores
from lepton_lab.training.outcome import Outcome
from lepton_lab.training.progress import Events, Progress
from lepton_lab.training.resident import Batch, Rows
from lepton_lab.training.resuming import keep_plan, known_plan, last_saved
from lepton_lab.training.schedules import PLATEAU_EPOCHS, Schedule
from lepton_lab.training.setup import Parts, Placed, announcement, make_step, prepare, with_found_rate
from lepton_lab.training.steering import Control, Steering
from lepton_lab.training.step import NonFiniteLoss
from lepton_lab.training.tensorboard import TensorBoard
from lepton_lab.training.validation import samples, score

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset


def train(
    run_dir: Path,
    dataset: PreparedDataset,
    model_spec: ModelSpec,
    train_spec: TrainSpec,
    *,
    events: Events,
    control: Control,
    clock: Callable[[], float] = time.monotonic,
    callbacks: Iterable[object] = (),
) -> Outcome:
    """Trains a network, from the run's latest checkpoint when there is one.

    Args:
        run_dir: The run's folder, for checkpoints and the plan.
        dataset: Rows and their preparation.
        model_spec: Which network.
        train_spec: How to train it.
        events: Where events go.
        control: Where commands come from.
        clock: Seconds, monotonic.
        callbacks: Objects that are told of events; see `training.callbacks`.

    Raises:
        RunFailed: The loss is not finite (reason "nan_loss").
        DataError, ModelError, OSError, MemoryError: As they come; `failures.as_run_failed` names them.
    """
    return Training(run_dir, dataset, model_spec, train_spec, events, control, clock, callbacks).run()


class StoppedWithin(Exception):
    """Somebody stopped the run in the middle of a validation."""


class Training:
    """One run while it trains. `num_steps` and `num_epochs_ended` say where it stands."""

    def __init__(
        self,
        run_dir: Path,
        dataset: PreparedDataset,
        model_spec: ModelSpec,
        train_spec: TrainSpec,
        events: Events,
        control: Control,
        clock: Callable[[], float],
        callbacks: Iterable[object] = (),
        placed: Placed | None = None,
        making: Making | None = None,
    ) -> None:
        self._run_dir, self._dataset, self._events, self._clock = run_dir, dataset, events, clock
        self._train_spec = train_spec
        saved = last_saved(run_dir, events)
        plan = known_plan(run_dir)
        parts = prepare(dataset, model_spec, train_spec, plan=plan, saved=saved, placed=placed, making=making)
        self._events = events = with_callbacks(events, self._listeners(parts, callbacks))
        if saved is None and parts.plan.find_learning_rate:
            parts = with_found_rate(parts, events)
        self._parts, plan = parts, parts.plan
        keep_plan(run_dir, plan)
        metric = parts.objective.metric
        self._steps_per_epoch = parts.sampler.steps_per_epoch
        self._step = make_step(parts, events)
        self._schedule = Schedule(plan.schedule, plan.learning_rate, 0, parts.steps_total)
        self._meter = Meter(plan.batch_size, torch.device(plan.device), metric)
        self._best = Best(metric.higher_is_better)
        self._progress = Progress(events, self._meter, self._steps_per_epoch, parts.steps_total, plan.batch_size)
        self._epochs = EpochLog(events)
        self._steering = Steering(control, events)
        self.num_steps = self.num_epochs_ended = 0
        self._seconds_before = 0.0
        self._saved_step, self._is_best_unsaved = -1, False
        self._is_saved = self._is_epoch_open = False
        if saved is not None:
            self._restore(saved if making is None else making.own(saved))
        self._began = self._saved_time = clock()

    def _listeners(self, parts: Parts, callbacks: Iterable[object]) -> list[object]:
        """Who is told of events."""
        board = [TensorBoard(self._run_dir / "tensorboard")] if parts.plan.tensorboard else []
        return [*board, *callbacks, *getattr(parts.module, "callbacks", ())]

    def run(self) -> Outcome:
        """Trains to the end, or until somebody stops it."""
        self._announce()
        self._attend(self._clock())
        try:
            if self._is_epoch_open and self._steering.stopped_by is None:
                self._end_epoch()
            while self._steering.stopped_by is None and not self._is_done():
                self._take_step()
        except StoppedWithin:
            pass  # in the middle of a validation, which is made anew when the run goes on
        return self._stop() if self._steering.stopped_by is not None else self._finish()

    def _take_step(self) -> None:
        feed = self._parts.feed
        if not feed.holds(self.num_steps):
            with self._progress.waiting():
                feed.gather(self.num_steps)
        batch = feed.at(self.num_steps)
        try:
            loss, outputs = self._update(batch, self._schedule.at(self.num_steps))
        except NonFiniteLoss as error:
            raise self._not_finite(str(error)) from error
        self.num_steps += 1
        self._is_saved = False
        if self._parts.average is not None:
            self._parts.average.update(self.num_steps)
        if self._meter.push(loss, outputs, batch.labels, len(batch.labels)):
            self._meter.collect(wait=False)
        if self.num_steps % self._steps_per_epoch == 0:
            self._end_epoch()
        now = self._clock()
        if now >= self._progress.next_time:
            self._write_progress(now)
        if now >= self._steering.next_look:
            self._attend(now)
        if self._is_time_to_save(now):
            self.save_checkpoint()

    def _is_time_to_save(self, now: float) -> bool:
        return now - self._saved_time >= self._parts.plan.checkpoint_every_seconds

    def _update(self, batch: Batch, learning_rate: float) -> tuple[Tensor, Tensor | None]:
        """One update; where the memory is full, the rows go through the network in smaller parts from here on."""
        while True:
            try:
                return self._step(batch, learning_rate)
            except (RuntimeError, MemoryError) as error:
                if not is_memory_shortage(error) or not self._step.split(len(batch.labels)):
                    raise
            message = f"The memory was full; steps now go through the network in {self._step.num_parts} parts."
            self._events.append("WarningRaised", message=message)

    def _is_done(self) -> bool:
        patience = self._parts.plan.stop_early_epochs
        out_of_patience = patience is not None and self._best.num_epochs_since >= patience
        return out_of_patience or self.num_epochs_ended >= self._parts.plan.epochs

    def _write_progress(self, now: float, *, whole: bool = False) -> None:
        self._progress.write(now, self.num_steps, self._schedule.at(max(0, self.num_steps - 1)), whole=whole)
        if not math.isfinite(self._meter.last_loss):
            raise self._not_finite(f"the training loss became {self._meter.last_loss}")

    def _attend(self, now: float) -> None:
        if self._steering.attend(self, now):
            resumed = self._clock()
            self._began += resumed - now
            self._saved_time = resumed
            self._progress.resume(resumed, self.num_steps)

    def _end_epoch(self) -> None:
        self._write_progress(self._clock(), whole=True)
        self._is_epoch_open = True
        with self._parts.average.in_place() if self._parts.average is not None else nullcontext():
            sampled = self._score(self._parts.sample_rows, keep=False) if self._parts.sample_rows is not None else None
            scores, is_best = self._validate() if self._parts.validation_rows is not None else (None, False)
        self.num_epochs_ended += 1
        self._is_epoch_open = self._is_saved = False
        train_loss, train_metric = self._meter.take_epoch()
        if sampled is not None:
            train_metric = sampled.metric
        name = self._meter.metric.name
        figures = {
            "train_loss": train_loss,
            f"train_{name}": train_metric,
            "val_loss": scores.loss if scores else None,
            f"val_{name}": scores.metric if scores else None,
        }
        more = {f"val_{key}": value for key, value in scores.more.items()} if scores else {}
        now = self._clock()
        of_epoch = {"epoch": self.num_epochs_ended, "step": self.num_steps, **figures, **more, "is_best": is_best}
        shown = samples(scores, self._dataset, "validation") if scores else []
        self._epochs.add(now, self._progress.pace(now), shown, **of_epoch)
        if self._schedule.kind == "plateau":
            self._look_for_plateau()

    def _validate(self) -> tuple[Scores, bool]:
        """Scores the validation part with the weights that are in place: the average's, where there is one."""
        assert self._parts.validation_rows is not None
        scores = self._score(self._parts.validation_rows)
        if not math.isfinite(scores.loss):
            raise self._not_finite(f"the validation loss became {scores.loss}")
        is_best = self._best.offer(self.num_epochs_ended + 1, scores.metric, scores.loss, self._parts.module)
        self._is_best_unsaved |= is_best
        return scores, is_best

    def _score(self, rows: Rows, *, keep: bool = True) -> Scores:
        return score(self._parts.module, rows, self._parts.objective, keep=keep, between=self._attend_in_validation)

    def _attend_in_validation(self) -> None:
        """Validation of many rows takes long; commands are taken in it as between two steps."""
        now = self._clock()
        if now >= self._steering.next_look:
            self._attend(now)
            if self._steering.stopped_by is not None:
                raise StoppedWithin

    def _look_for_plateau(self) -> None:
        since = self._best.num_epochs_since
        if since and since % PLATEAU_EPOCHS == 0:
            old, self._schedule = self._schedule, self._schedule.lowered()
            self._events.append(
                "LearningRateChanged", step=self.num_steps, old=old.peak, new=self._schedule.peak, by="plateau"
            )

    def _stop(self) -> Outcome:
        if not self._steering.stops_hard and not self._is_saved:
            self.save_checkpoint()
        self._epochs.flush()
        outcome = self._outcome("stopped")
        ended = {"step": outcome.step, "epoch": outcome.epoch, "by": self._steering.stopped_by}
        if self._steering.preempted_for is not None:
            self._events.append("RunPreempted", **ended, **{"for": self._steering.preempted_for})
        else:
            self._events.append("RunStopped", **ended)
        return outcome

    def _finish(self) -> Outcome:
        self._epochs.finish()
        if not self._is_saved:
            self.save_checkpoint()
        if self._best.weights is not None:
            checkpoints.put(self._parts.module, self._best.weights)
        elif self._parts.average is not None:
            checkpoints.put(self._parts.module, self._parts.average.tensors)
        return self._outcome("finished")

    def _outcome(self, state: Literal["finished", "stopped"]) -> Outcome:
        return Outcome(
            state=state,
            module=self._parts.module,
            plan=self._parts.plan,
            step=self.num_steps,
            epoch=round(self.num_steps / self._steps_per_epoch, 4),
            metric=self._meter.metric.name,
            best_val_metric=self._best.known_metric,
            seconds=self._seconds(),
        )

    def change_learning_rate(self, value: float, by: str) -> None:
        """Sets the learning rate of the next step; from there the schedule falls to the end as it would have."""
        old = self._schedule.at(self.num_steps)
        self._schedule = self._schedule.changed(self.num_steps, value)
        self._is_saved = False
        self._events.append("LearningRateChanged", step=self.num_steps, old=old, new=value, by=by)

    def save_checkpoint(self) -> None:
        """Saves everything; the events up to here are durable before it, so the curve has no gap after a crash.

        Raises:
            RunFailed: The weights are not finite; the checkpoint before stays the last one.
        """
        self._write_progress(self._clock(), whole=True)
        self._epochs.flush()
        if not self._are_weights_finite():
            raise self._not_finite("the weights became infinite or nan")
        self._events.flush()
        num_bytes = self._write_checkpoint()
        self._events.append("CheckpointSaved", step=self.num_steps, bytes=num_bytes, is_best=self._is_best_unsaved)
        self._saved_step, self._saved_time, self._is_best_unsaved = self.num_steps, self._clock(), False
        self._is_saved = True

    def _are_weights_finite(self) -> bool:
        return checkpoints.are_finite(self._parts.module)

    def _write_checkpoint(self) -> int:
        """Writes a checkpoint and returns its size in bytes."""
        with self._new_checkpoint() as folder:
            return checkpoints.write(folder, **self._content(), state=self._state())

    def _new_checkpoint(self) -> AbstractContextManager[Path]:
        """An empty folder, which becomes the checkpoint of this step."""
        keep = self._train_spec.keep_checkpoints
        return new_checkpoint(self._run_dir, self.num_steps, is_best=self._is_best_unsaved, keep=keep)

    def _content(self) -> dict[str, Any]:
        """The tensors of a checkpoint, by the file that they are for."""
        parts = self._parts
        return {
            "model": parts.average.weights() if parts.average else checkpoints.tensors_of(parts.module),
            "optimizer": parts.optimizer.tensors(),
            "best": self._best.weights,
            "average": parts.average.tensors if parts.average is not None else None,
        }

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.num_steps,
            "num_epochs_ended": self.num_epochs_ended,
            "is_epoch_open": self._is_epoch_open,
            "schedule": self._schedule.to_dict(),
            "num_parts": self._step.num_parts,
            "is_compiled": self._step.is_compiled,
            "optimizer_num_steps": self._parts.optimizer.num_steps,
            "random": checkpoints.random_state(),
            "meter": self._meter.state(),
            "best": self._best.state(),
            "seconds": self._seconds(),
        }

    def _restore(self, saved: checkpoints.Saved) -> None:
        """Takes back where a checkpoint stood; one that a run was forked from may leave parts to begin anew."""
        state, plan = saved.state, self._parts.plan
        self.num_steps, self.num_epochs_ended = state["step"], state["num_epochs_ended"]
        if state.get("schedule") is not None:
            self._schedule = Schedule(**state["schedule"])
        else:
            self._schedule = Schedule(plan.schedule, plan.learning_rate, self.num_steps, self._parts.steps_total)
        if "meter" in state:
            self._meter.load(state["meter"])
        self._step.num_parts = state.get("num_parts", self._step.num_parts)
        if state.get("is_compiled") and isinstance(self._step, CompiledStep):
            self._step.compile_next()
        self._best.load(state.get("best"), saved.best)
        self._seconds_before, self._saved_step = state.get("seconds", 0.0), self.num_steps
        self._is_saved, self._is_epoch_open = True, state.get("is_epoch_open", False)
        if "random" in state:
            checkpoints.set_random_state(state["random"])

    def _seconds(self) -> float:
        return self._seconds_before + self._clock() - self._began

    def _announcement(self) -> dict[str, Any]:
        return announcement(self._parts, from_step=self.num_steps)

    def _announce(self) -> None:
        told = self._announcement()
        self._events.append("RunStarted", **told, **({"is_epoch_open": True} if self._is_epoch_open else {}))
        self._progress.resume(self._clock(), self.num_steps)

    def _not_finite(self, what: str) -> RunFailed:
        self._epochs.flush()
        epoch, rate = self.num_steps / self._steps_per_epoch, self._schedule.at(self.num_steps)
        return not_finite(what, step=self.num_steps, epoch=epoch, rate=rate, saved_step=self._saved_step)
